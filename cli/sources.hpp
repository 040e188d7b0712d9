// The databases of one run, opened.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::cli {

/// One database, or why it cannot be used. Exactly one of the two is set.
struct OpenedSource {
    std::string name;
    std::shared_ptr<db::DataSource> source;  // shared with a registry
    std::string error;
};

/// Opened as a tool needs it: few connections, nothing prepared, so that it works through any pooler. Closed, with
/// their shard, when it is destroyed.
class OpenSources {
public:
    /// A connection string that cannot be read throws db::Error `config`. A SQLite file that is not there is an error
    /// of its source unless `may_create`.
    OpenSources(const std::vector<SourceOption>& options, bool may_create);
    ~OpenSources();
    OpenSources(const OpenSources&) = delete;
    OpenSources& operator=(const OpenSources&) = delete;

    [[nodiscard]] const std::vector<OpenedSource>& all() const noexcept { return sources_; }
    [[nodiscard]] runtime::Shard& shard() noexcept { return shard_; }

private:
    core::Metrics metrics_;
    runtime::Shard shard_;
    std::vector<OpenedSource> sources_;
};

[[nodiscard]] std::string_view to_string(db::Dialect dialect) noexcept;

/// Control characters of a text from outside as \xNN, so that it cannot forge a line.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace sluice::cli
