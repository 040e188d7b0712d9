// SQLite's own file layer with faults in writes and synchronisations of write-ahead logs. Only tests include this.
//
//     FaultVfs faults;                               // the default layer while it lives
//     faults.fail_next_sync(SQLITE_IOERR_FSYNC);
#pragma once

#include <atomic>
#include <memory>

#include <sqlite3.h>

namespace sluice::db::sqlite {

/// One at a time; files opened while it lives must be closed before it goes.
class FaultVfs {
public:
    FaultVfs();
    ~FaultVfs();
    FaultVfs(const FaultVfs&) = delete;
    FaultVfs& operator=(const FaultVfs&) = delete;

    /// The next write to (synchronisation of) a log answers `code`, once.
    void fail_next_write(int code) noexcept;
    void fail_next_sync(int code) noexcept;

private:
    sqlite3_vfs vfs_;
};

}  // namespace sluice::db::sqlite
