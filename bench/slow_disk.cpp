#include "slow_disk.hpp"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include <sqlite3.h>

namespace sluice::bench {
namespace {

std::atomic<std::chrono::microseconds::rep> added_us{0};
int (*real_sync)(sqlite3_file*, int) = nullptr;
sqlite3_vfs* real_vfs = nullptr;

int slow_sync(sqlite3_file* file, int flags) {
    const int code = real_sync(file, flags);
    // lint: allow sleep: the wait is what is simulated
    if (const auto added = added_us.load(); added > 0) std::this_thread::sleep_for(std::chrono::microseconds(added));
    return code;
}

/// `real` with a slow xSync. The real layer has a table for files that it locks and another for the rest.
const sqlite3_io_methods* slowed(const sqlite3_io_methods* real) {
    static std::mutex mutex;
    static std::map<const sqlite3_io_methods*, sqlite3_io_methods> tables;
    const std::scoped_lock lock(mutex);
    const auto [table, is_new] = tables.try_emplace(real, *real);
    if (!is_new) return &table->second;
    if (real_sync != nullptr && real_sync != real->xSync) std::abort();  // slow_sync would call another table's
    real_sync = real->xSync;
    table->second.xSync = slow_sync;
    return &table->second;
}

/// The real layer opens the file; only its xSync is exchanged, so everything else is what SQLite always does.
int open_slow(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (file->pMethods != nullptr) file->pMethods = slowed(file->pMethods);
    return code;
}

void install() {
    static sqlite3_vfs slow;
    real_vfs = sqlite3_vfs_find(nullptr);
    slow = *real_vfs;
    slow.zName = "slow-disk";
    slow.xOpen = open_slow;
    if (sqlite3_vfs_register(&slow, 1) != SQLITE_OK) std::abort();
}

}  // namespace

void slow_every_sync(std::chrono::microseconds latency) {
    static const bool installed = [] {
        install();
        return true;
    }();
    static_cast<void>(installed);
    added_us = latency.count();
}

}  // namespace sluice::bench
