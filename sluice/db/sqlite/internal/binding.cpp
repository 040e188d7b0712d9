#include "sluice/db/sqlite/internal/binding.hpp"

#include "sluice/db/internal/text_codec.hpp"

namespace sluice::db::sqlite {
namespace {

/// A string made for one binding; SQLite keeps its own copy.
int bind_made(sqlite3_stmt* statement, int index, const std::string& text) {
    return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

struct Binder {
    sqlite3_stmt* statement;
    int index;

    int operator()(Null) const { return sqlite3_bind_null(statement, index); }
    int operator()(bool value) const { return sqlite3_bind_int64(statement, index, value ? 1 : 0); }
    int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
    int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
    int operator()(const std::string& text) const {
        return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(const Bytes& bytes) const {
        // A null pointer would bind NULL.
        const void* const data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
        return sqlite3_bind_blob64(statement, index, data, bytes.size(), SQLITE_STATIC);
    }
    int operator()(Timestamp time) const { return bind_made(statement, index, db::internal::format_timestamp(time)); }
    int operator()(const Uuid& uuid) const {
        return sqlite3_bind_blob64(statement, index, uuid.bytes.data(), uuid.bytes.size(), SQLITE_STATIC);
    }
    int operator()(const Json& json) const { return (*this)(json.text); }
    template <class Element>
    int operator()(const std::vector<Element>& array) const {
        return bind_made(statement, index, db::internal::encode_array(array));
    }
};

}  // namespace

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
    return std::visit(Binder{statement, index}, value.variant());
}

Value read_column(sqlite3_stmt* statement, int index) {
    switch (sqlite3_column_type(statement, index)) {
        case SQLITE_INTEGER:
            return static_cast<std::int64_t>(sqlite3_column_int64(statement, index));
        case SQLITE_FLOAT:
            return sqlite3_column_double(statement, index);
        case SQLITE_TEXT: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
            return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
        }
        case SQLITE_BLOB: {
            const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement, index));
            return Bytes(data, data + sqlite3_column_bytes(statement, index));
        }
        default:
            return null;
    }
}

}  // namespace sluice::db::sqlite
