#include "sluice/db/sqlite/internal/handle.hpp"

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/db/sqlite/internal/classify.hpp"

namespace sluice::db::sqlite {
namespace {

int open_flags(OpenMode mode) noexcept {
    const int shared = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
        case OpenMode::create_and_write:
            return shared | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        case OpenMode::write:
            return shared | SQLITE_OPEN_READWRITE;
        case OpenMode::read:
            break;
    }
    return shared | SQLITE_OPEN_READONLY;
}

}  // namespace

Handle open_handle(const std::string& source, const std::string& path, OpenMode mode) {
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &opened, open_flags(mode), nullptr);
    Handle handle(opened);
    if (code == SQLITE_OK) return handle;
    const int extended = opened != nullptr ? sqlite3_extended_errcode(opened) : code;
    ErrorDetails details;
    details.source = source;
    details.code = code_text(extended);
    details.message = fmt::format("cannot open {}: {}; check that its folder exists and may be written", path,
                                  opened != nullptr ? sqlite3_errmsg(opened) : sqlite3_errstr(code));
    throw Error(ErrorKind::connection, std::move(details));
}

}  // namespace sluice::db::sqlite
