#include "sluice/migrate/folder.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/plan.hpp"
#include "sluice/migrate/internal/split.hpp"

namespace sluice::migrate {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{4} << 20;
constexpr std::string_view kEnding = ".sql";

struct DialectName {
    std::string_view suffix;
    db::Dialect dialect;
};
constexpr std::array kDialects{DialectName{".sqlite", db::Dialect::sqlite},
                               DialectName{".postgres", db::Dialect::postgres},
                               DialectName{".mariadb", db::Dialect::mariadb}};

/// What a file's name says.
struct FileName {
    int version = 0;
    std::string name;
    std::optional<db::Dialect> dialect;  // nothing: all that have no file of their own
};

[[noreturn]] void refuse(const std::filesystem::path& where, std::string_view reason) {
    db::ErrorDetails details;
    details.message = fmt::format("{}: {}", where.string(), reason);
    throw db::Error(db::ErrorKind::config, std::move(details));
}

bool is_name(std::string_view text) {
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

FileName parse_name(const std::filesystem::path& file) {
    const std::string whole = file.filename().string();
    std::string_view rest = whole;
    rest.remove_suffix(kEnding.size());
    FileName parsed;
    for (const DialectName& known : kDialects) {
        if (!rest.ends_with(known.suffix)) continue;
        parsed.dialect = known.dialect;
        rest.remove_suffix(known.suffix.size());
    }
    const std::size_t digits = rest.find('_');
    const char* const end = rest.data() + std::min(digits, rest.size());
    const auto [stop, error] = std::from_chars(rest.data(), end, parsed.version);
    if (digits == std::string_view::npos || error != std::errc() || stop != end || parsed.version < 1 ||
        !is_name(rest.substr(digits + 1)))
        refuse(file, "name it <version>_<name>.sql, for example 0001_articles.sql or 0001_articles.sqlite.sql");
    parsed.name = rest.substr(digits + 1);
    return parsed;
}

std::string read_file(const std::filesystem::path& file) {
    std::error_code error;
    const auto size = std::filesystem::file_size(file, error);
    if (error) refuse(file, error.message());
    if (size > kLargestFile) refuse(file, fmt::format("{} bytes are more than {}; split it", size, kLargestFile));
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    if (!stream && !stream.eof()) refuse(file, "cannot be read");
    if (text.size() != size) refuse(file, "cannot be read whole");
    return text;
}

std::vector<std::string> statements_of(const std::filesystem::path& file, std::string_view sql, db::Dialect dialect) {
    auto statements = internal::split_statements(sql, dialect);
    if (!statements) refuse(file, fmt::format("line {}: {}", statements.error().line, statements.error().reason));
    if (statements->empty()) refuse(file, "holds no statement; a migration that does nothing has no use");
    return std::move(*statements);
}

struct SqlFile {
    std::filesystem::path path;
    FileName name;
};

/// Those for one dialect first, so that plain ones fill what is left.
std::vector<SqlFile> sql_files(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    if (error) refuse(folder, fmt::format("cannot read the folder of migrations: {}", error.message()));
    std::vector<SqlFile> files;
    for (const auto& entry : entries) {
        if (entry.is_regular_file() && entry.path().extension() == kEnding)
            files.push_back({entry.path(), parse_name(entry.path())});
    }
    std::ranges::sort(files, {}, [](const SqlFile& file) { return std::pair(!file.name.dialect, file.path); });
    return files;
}

void add_file(Migration& migration, const SqlFile& file) {
    const std::string sql = read_file(file.path);
    for (const DialectName& known : kDialects) {
        if (file.name.dialect.value_or(known.dialect) != known.dialect) continue;
        auto statements = statements_of(file.path, sql, known.dialect);
        const bool first = migration.statements.try_emplace(known.dialect, std::move(statements)).second;
        if (!first && file.name.dialect)
            refuse(file.path, fmt::format("version {} has another file for this dialect", file.name.version));
    }
}

}  // namespace

std::vector<Migration> read_folder(const std::string& module, const std::filesystem::path& folder) {
    std::map<int, Migration> by_version;
    std::map<int, std::filesystem::path> plain;
    for (const SqlFile& file : sql_files(folder)) {
        const int version = file.name.version;
        Migration& migration =
            by_version.try_emplace(version, Migration{module, version, file.name.name, {}}).first->second;
        if (migration.name != file.name.name)
            refuse(file.path, fmt::format("version {} is also called {}; give one of them another version", version,
                                          migration.name));
        if (!file.name.dialect && !plain.try_emplace(version, file.path).second)
            refuse(file.path, fmt::format("version {} is also {}", version, plain.at(version).string()));
        add_file(migration, file);
    }
    std::vector<Migration> migrations;
    for (auto& [version, migration] : by_version)
        migrations.push_back(std::move(migration));
    if (auto ok = internal::check_versions(migrations); !ok) refuse(folder, ok.error());
    return migrations;
}

}  // namespace sluice::migrate
