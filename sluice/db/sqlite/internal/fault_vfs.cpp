#include "sluice/db/sqlite/internal/fault_vfs.hpp"

#include <new>

namespace sluice::db::sqlite {
namespace {

std::atomic<int> write_fault{SQLITE_OK};
std::atomic<int> sync_fault{SQLITE_OK};
sqlite3_vfs* real_vfs = nullptr;

/// The real file lies behind it in the memory that SQLite gives.
struct FaultFile {
    sqlite3_file base;
    bool is_log;
    sqlite3_file* real() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

FaultFile& fault(sqlite3_file* file) noexcept {
    return *reinterpret_cast<FaultFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) noexcept {
    return fault(file).real();
}
const sqlite3_io_methods& methods(sqlite3_file* file) noexcept {
    return *real(file)->pMethods;
}

int close_file(sqlite3_file* file) {
    return methods(file).xClose(real(file));
}
int read_file(sqlite3_file* file, void* into, int size, sqlite3_int64 at) {
    return methods(file).xRead(real(file), into, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    const int code = fault(file).is_log ? write_fault.exchange(SQLITE_OK) : SQLITE_OK;
    return code != SQLITE_OK ? code : methods(file).xWrite(real(file), from, size, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    return methods(file).xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
    const int code = fault(file).is_log ? sync_fault.exchange(SQLITE_OK) : SQLITE_OK;
    return code != SQLITE_OK ? code : methods(file).xSync(real(file), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return methods(file).xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int lock) {
    return methods(file).xLock(real(file), lock);
}
int unlock_file(sqlite3_file* file, int lock) {
    return methods(file).xUnlock(real(file), lock);
}
int check_lock(sqlite3_file* file, int* held) {
    return methods(file).xCheckReservedLock(real(file), held);
}
int control_file(sqlite3_file* file, int what, void* argument) {
    return methods(file).xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) {
    return methods(file).xSectorSize(real(file));
}
int characteristics(sqlite3_file* file) {
    return methods(file).xDeviceCharacteristics(real(file));
}
int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** into) {
    return methods(file).xShmMap(real(file), page, size, extend, into);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
    return methods(file).xShmLock(real(file), offset, count, flags);
}
void order_shared(sqlite3_file* file) {
    methods(file).xShmBarrier(real(file));
}
int unmap_shared(sqlite3_file* file, int remove) {
    return methods(file).xShmUnmap(real(file), remove);
}

const sqlite3_io_methods& fault_methods() noexcept {
    static const sqlite3_io_methods made = [] {
        sqlite3_io_methods table{};
        table.iVersion = 2;
        table.xClose = close_file;
        table.xRead = read_file;
        table.xWrite = write_file;
        table.xTruncate = truncate_file;
        table.xSync = sync_file;
        table.xFileSize = file_size;
        table.xLock = lock_file;
        table.xUnlock = unlock_file;
        table.xCheckReservedLock = check_lock;
        table.xFileControl = control_file;
        table.xSectorSize = sector_size;
        table.xDeviceCharacteristics = characteristics;
        table.xShmMap = map_shared;
        table.xShmLock = lock_shared;
        table.xShmBarrier = order_shared;
        table.xShmUnmap = unmap_shared;
        return table;
    }();
    return made;
}

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* into, int flags, int* out_flags) {
    auto* const file = new (into) FaultFile{};
    file->is_log = (flags & SQLITE_OPEN_WAL) != 0;
    const int code = real_vfs->xOpen(real_vfs, name, file->real(), flags, out_flags);
    file->base.pMethods = file->real()->pMethods == nullptr ? nullptr : &fault_methods();
    return code;
}

}  // namespace

FaultVfs::FaultVfs() {
    real_vfs = sqlite3_vfs_find(nullptr);
    vfs_ = *real_vfs;  // everything but files is the real layer's
    vfs_.zName = "sluice-faults";
    vfs_.szOsFile = static_cast<int>(sizeof(FaultFile)) + real_vfs->szOsFile;
    vfs_.xOpen = open_file;
    sqlite3_vfs_register(&vfs_, 1);
}

FaultVfs::~FaultVfs() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_vfs, 1);
    write_fault = SQLITE_OK;
    sync_fault = SQLITE_OK;
}

void FaultVfs::fail_next_write(int code) noexcept {
    write_fault = code;
}
void FaultVfs::fail_next_sync(int code) noexcept {
    sync_fault = code;
}

}  // namespace sluice::db::sqlite
