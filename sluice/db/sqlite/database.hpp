// SQLite as a data source: WAL, one writer thread per file that groups waiting units into one fsync (a savepoint each),
// readers beside it.
//
//     auto database = db::sqlite::Database::open({.name = "shop_a", .path = "data/shop_a.sqlite3"}, log, metrics);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/db/sqlite/group_hook.hpp"

namespace sluice::db::sqlite {

enum class Synchronous : std::uint8_t { normal, full };

struct Settings {
    std::string name;  ///< of the data source
    std::string path;  ///< file; its folder must exist
    Synchronous synchronous = Synchronous::full;
    std::chrono::milliseconds busy_timeout{5'000};
    std::uint32_t readers = 4;                       ///< reading connections, each with its thread; 1–64
    std::uint32_t group_limit = 256;                 ///< units per commit
    std::uint32_t queue_limit = 10'000;              ///< units that may wait; one more is `pool_exhausted`
    std::chrono::milliseconds hold_limit{1'000};     ///< a unit that keeps the writer longer is rolled back
    std::chrono::milliseconds stuck_limit{5'000};    ///< one statement; then it is interrupted at the group's cost
    std::chrono::milliseconds reader_limit{30'000};  ///< age of a read, so that the WAL can be checkpointed
};

/// A data source on one file. See docs/sqlite.md, "Group commit".
class Database : public DataSource {
public:
    /// Opens (and creates) the file and starts the threads. Throws db::Error `config` for unusable settings,
    /// `connection` with the path when the file cannot be opened.
    [[nodiscard]] static std::shared_ptr<Database> open(Settings settings, core::Logger log, core::Metrics& metrics);

    /// One hook per database, for the outbox; see group_hook.hpp. Null takes it out. Waits until the group in progress
    /// has ended.
    virtual void set_group_hook(std::shared_ptr<GroupHook> hook) = 0;
    /// Asks the writer for a group without units, so that the hook sees rows that other processes committed. Cheap when
    /// nothing changed: `data_version` is compared first unless `force`. Any thread.
    virtual void request_group(bool force) = 0;
    [[nodiscard]] virtual const Settings& settings() const noexcept = 0;
};

}  // namespace sluice::db::sqlite
