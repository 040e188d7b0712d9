#include "sluice/db/value.hpp"

#include <utility>

#include <cstring>

namespace sluice::db {

Value::Value() noexcept = default;
Value::Value(Null) noexcept {}
Value::Value(bool value) noexcept : variant_(value) {}
Value::Value(std::int64_t value) noexcept : variant_(value) {}
Value::Value(double value) noexcept : variant_(value) {}
Value::Value(const char* text) : variant_(std::string(text)) {}
Value::Value(std::string_view text) : variant_(std::string(text)) {}
Value::Value(std::string text) noexcept : variant_(std::move(text)) {}
Value::Value(Bytes bytes) noexcept : variant_(std::move(bytes)) {}
Value::Value(Timestamp time) noexcept : variant_(time) {}
Value::Value(Uuid uuid) noexcept : variant_(uuid) {}
Value::Value(Json json) noexcept : variant_(std::move(json)) {}
Value::Value(std::vector<std::int64_t> array) noexcept : variant_(std::move(array)) {}
Value::Value(std::vector<std::string> array) noexcept : variant_(std::move(array)) {}
Value::Value(std::vector<Bytes> array) noexcept : variant_(std::move(array)) {}
Value::Value(const Value& other) = default;
Value::Value(Value&& other) noexcept = default;
Value& Value::operator=(const Value& other) = default;
Value& Value::operator=(Value&& other) noexcept = default;
Value::~Value() = default;

bool operator==(const Value& left, const Value& right) {
    return left.variant_ == right.variant_;
}

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
