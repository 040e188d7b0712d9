// RAII over sqlite3* and sqlite3_stmt*. Nothing above this folder sees either.
#pragma once

#include <memory>
#include <string>

#include <sqlite3.h>

namespace sluice::db::sqlite {

struct CloseHandle {
    void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

/// One connection; used by one thread at a time (opened without SQLite's own mutex).
using Handle = std::unique_ptr<sqlite3, CloseHandle>;
using PreparedStatement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

enum class OpenMode { create_and_write, write, read };

/// Opens `path` with extended result codes. Throws db::Error `connection` that names the source and the path.
[[nodiscard]] Handle open_handle(const std::string& source, const std::string& path, OpenMode mode);

}  // namespace sluice::db::sqlite
