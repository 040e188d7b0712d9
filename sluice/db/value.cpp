#include "sluice/db/value.hpp"

#include <cstring>

namespace sluice::db {

std::string_view Value::type_name() const noexcept {
    static constexpr std::array<std::string_view, std::variant_size_v<Variant>> names{
        "null",      "bool", "integer", "real",          "text",       "bytes",
        "timestamp", "uuid", "json",    "integer array", "text array", "bytes array"};
    return names[variant_.index()];
}

Bytes to_bytes(std::string_view text) {
    Bytes bytes(text.size());
    if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
    return bytes;
}

std::string_view as_text(const Bytes& bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sluice::db
