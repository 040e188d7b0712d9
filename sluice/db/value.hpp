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

    // Out of line, all of them: each source that saw them paid a second to compile a dozen alternatives.
    Value() noexcept;
    Value(Null) noexcept;
    Value(bool value) noexcept;
    Value(std::int64_t value) noexcept;
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool> && !std::same_as<Integer, std::int64_t>)
    Value(Integer value) noexcept : Value(static_cast<std::int64_t>(value)) {}
    Value(double value) noexcept;
    Value(const char* text);
    Value(std::string_view text);
    Value(std::string text) noexcept;
    Value(Bytes bytes) noexcept;
    Value(Timestamp time) noexcept;
    Value(Uuid uuid) noexcept;
    Value(Json json) noexcept;
    Value(std::vector<std::int64_t> array) noexcept;
    Value(std::vector<std::string> array) noexcept;
    Value(std::vector<Bytes> array) noexcept;
    Value(const Value& other);
    Value(Value&& other) noexcept;
    Value& operator=(const Value& other);
    Value& operator=(Value&& other) noexcept;
    ~Value();

    [[nodiscard]] bool is_null() const noexcept { return variant_.index() == 0; }
    [[nodiscard]] const Variant& variant() const noexcept { return variant_; }
    [[nodiscard]] Variant& variant() noexcept { return variant_; }
    /// "null", "integer", "text", … for messages.
    [[nodiscard]] std::string_view type_name() const noexcept;

    friend bool operator==(const Value& left, const Value& right);

private:
    Variant variant_;
};

[[nodiscard]] Bytes to_bytes(std::string_view text);
[[nodiscard]] std::string_view as_text(const Bytes& bytes) noexcept;

}  // namespace sluice::db
