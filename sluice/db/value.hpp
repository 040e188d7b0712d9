// A value bound to a statement or read from a row, the same for every database.
//
//     db::Value quantity = std::int64_t{3};
//     db::Value note = db::null;
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sluice::db {

struct Null {
    friend constexpr bool operator==(Null, Null) = default;
};
inline constexpr Null null{};

using Bytes = std::vector<std::byte>;
/// UTC, microseconds.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

struct Uuid {
    std::array<std::byte, 16> bytes{};
    friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// JSON as text. The drivers do not look into it.
struct Json {
    std::string text;
    friend auto operator<=>(const Json&, const Json&) = default;
};

/// One of the kinds that every driver binds and reads. Text must be UTF-8 without NUL.
class Value {
public:
    using Variant = std::variant<Null, bool, std::int64_t, double, std::string, Bytes, Timestamp, Uuid, Json,
                                 std::vector<std::int64_t>, std::vector<std::string>, std::vector<Bytes>>;

    Value() = default;
    Value(Null) {}
    Value(bool value) : variant_(value) {}
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    Value(Integer value) : variant_(static_cast<std::int64_t>(value)) {}
    Value(double value) : variant_(value) {}
    Value(const char* text) : variant_(std::string(text)) {}
    Value(std::string_view text) : variant_(std::string(text)) {}
    Value(std::string text) : variant_(std::move(text)) {}
    Value(Bytes bytes) : variant_(std::move(bytes)) {}
    Value(Timestamp time) : variant_(time) {}
    Value(Uuid uuid) : variant_(uuid) {}
    Value(Json json) : variant_(std::move(json)) {}
    Value(std::vector<std::int64_t> array) : variant_(std::move(array)) {}
    Value(std::vector<std::string> array) : variant_(std::move(array)) {}
    Value(std::vector<Bytes> array) : variant_(std::move(array)) {}

    [[nodiscard]] bool is_null() const noexcept { return std::holds_alternative<Null>(variant_); }
    [[nodiscard]] const Variant& variant() const noexcept { return variant_; }
    [[nodiscard]] Variant& variant() noexcept { return variant_; }
    /// "null", "integer", "text", … for messages.
    [[nodiscard]] std::string_view type_name() const noexcept;

    friend bool operator==(const Value&, const Value&) = default;

private:
    Variant variant_;
};

[[nodiscard]] Bytes to_bytes(std::string_view text);
[[nodiscard]] std::string_view as_text(const Bytes& bytes) noexcept;

}  // namespace sluice::db
