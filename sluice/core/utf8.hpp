// Incremental check of UTF-8 that fails at the first byte which no continuation could mend.
//
//     core::Utf8Checker checker;
//     for (std::string_view part : parts)
//         if (!checker.feed(part)) return refuse();      // at once, even in the middle of a code point
//     return checker.complete();
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::core {

/// A state machine of eight states (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). One byte.
class Utf8Checker {
public:
    /// Continues the text; false from the first impossible byte on.
    [[nodiscard]] bool feed(std::string_view part) noexcept;
    /// Whether the text may end here.
    [[nodiscard]] bool complete() const noexcept { return state_ == State::boundary; }

private:
    enum class State : std::uint8_t {
        boundary,
        one_more,  ///< one continuation byte, 80..BF
        two_more,
        three_more,
        after_e0,  ///< A0..BF, else overlong
        after_ed,  ///< 80..9F, else a surrogate
        after_f0,  ///< 90..BF, else overlong
        after_f4,  ///< 80..8F, else above U+10FFFF
        impossible,
    };
    static State start(unsigned char byte) noexcept;
    static State next(State state, unsigned char byte) noexcept;

    State state_ = State::boundary;
};

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace sluice::core
