// Writes canonical JSON into a string; commas and escapes are its business, nesting is the caller's.
//
//     std::string out;
//     core::json::Writer writer(out);
//     writer.begin_object();
//     writer.key("id");
//     writer.value(std::int64_t{7});
//     writer.end_object();                 // {"id":7}
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/core/error.hpp"

namespace sluice::core::json {

/// A value that JSON cannot hold: NaN, an infinity, text that is not UTF-8. Names the member.
class EncodeError : public core::Error {
public:
    using core::Error::Error;
};

/// What to do with text that is not UTF-8: throw EncodeError, or write U+FFFD for each bad byte (log lines).
enum class BadText : std::uint8_t { refuse, replace };

/// Appends to a string that outlives it. Not thread-safe.
class Writer {
public:
    explicit Writer(std::string& out, BadText bad_text = BadText::refuse) : out_(out), bad_text_(bad_text) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void begin_object();
    void end_object();
    void begin_array();
    void end_array();
    /// The name of the next value; inside an object only.
    void key(std::string_view name);

    void null();
    void value(bool value);
    void value(std::int64_t value);
    void value(std::uint64_t value);
    /// Shortest digits that read back as the same double; throws EncodeError unless finite.
    void value(double value);
    void value(std::string_view text);
    void value(const char* text) { value(std::string_view(text)); }
    template <std::integral Integer>
    void value(Integer number) {
        if constexpr (std::signed_integral<Integer>)
            value(static_cast<std::int64_t>(number));
        else
            value(static_cast<std::uint64_t>(number));
    }
    /// `json` verbatim as the next value.
    void raw(std::string_view json);

private:
    void separate();
    void quote(std::string_view text);
    [[noreturn]] void refuse(const std::string& what) const;

    std::string& out_;
    std::string last_key_;
    BadText bad_text_;
    bool needs_comma_ = false;
};

}  // namespace sluice::core::json
