#include "cli/sources.hpp"

#include <filesystem>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "sluice/core/clock.hpp"
#include "sluice/db/error.hpp"
#include "sluice/db/open.hpp"
#include "sluice/runtime/run_task.hpp"

namespace sluice::cli {
namespace {

constexpr std::string_view kFileScheme = "sqlite:";

OpenedSource open_one(const SourceOption& option, bool may_create, core::Metrics& metrics) {
    OpenedSource opened{option.name, nullptr, {}};
    const std::string_view dsn = option.dsn;
    if (!may_create && dsn.starts_with(kFileScheme)) {
        const std::filesystem::path file(dsn.substr(kFileScheme.size()));
        std::error_code ignored;
        if (!std::filesystem::exists(file, ignored)) {
            opened.error = fmt::format("{}: connection: there is no file {}; `sluice migrate up` makes it", option.name,
                                       file.string());
            return opened;
        }
    }
    db::OpenOptions how;
    how.connections = 4;
    how.prepare = false;
    try {
        opened.source = db::open(option.name, dsn, {}, metrics, how);
    } catch (const db::Error& error) {
        if (error.kind() == db::ErrorKind::config) throw;
        opened.error = error.what();
    }
    return opened;
}

}  // namespace

OpenSources::OpenSources(const std::vector<SourceOption>& options, bool may_create) : shard_(0, core::real_clock()) {
    for (const SourceOption& option : options)
        sources_.push_back(open_one(option, may_create, metrics_));
}

OpenSources::~OpenSources() {
    for (const OpenedSource& opened : sources_) {
        if (opened.source) runtime::run_task(shard_, opened.source->close());
    }
}

std::string_view to_string(db::Dialect dialect) noexcept {
    switch (dialect) {
        case db::Dialect::postgres:
            return "postgres";
        case db::Dialect::mariadb:
            return "mariadb";
        case db::Dialect::sqlite:
            break;
    }
    return "sqlite";
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F)
            fmt::format_to(std::back_inserter(out), "\\x{:02X}", byte);
        else
            out += c;
    }
    return out;
}

}  // namespace sluice::cli
