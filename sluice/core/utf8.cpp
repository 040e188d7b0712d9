#include "sluice/core/utf8.hpp"

#include <cstddef>
#include <cstring>

namespace sluice::core {
namespace {

constexpr std::size_t kStep = 16;

bool is_ascii_step(const char* bytes) noexcept {
    std::uint64_t halves[2];
    std::memcpy(halves, bytes, kStep);
    return ((halves[0] | halves[1]) & 0x8080808080808080ULL) == 0;
}

}  // namespace

Utf8Checker::State Utf8Checker::start(unsigned char byte) noexcept {
    if (byte < 0x80) return State::boundary;
    if (byte < 0xc2) return State::impossible;
    if (byte < 0xe0) return State::one_more;
    if (byte == 0xe0) return State::after_e0;
    if (byte == 0xed) return State::after_ed;
    if (byte < 0xf0) return State::two_more;
    if (byte == 0xf0) return State::after_f0;
    if (byte < 0xf4) return State::three_more;
    return byte == 0xf4 ? State::after_f4 : State::impossible;
}

Utf8Checker::State Utf8Checker::next(State state, unsigned char byte) noexcept {
    const auto within = [byte](unsigned low, unsigned high, State then) {
        return byte >= low && byte <= high ? then : State::impossible;
    };
    switch (state) {
        case State::boundary:
            return start(byte);
        case State::one_more:
            return within(0x80, 0xbf, State::boundary);
        case State::two_more:
            return within(0x80, 0xbf, State::one_more);
        case State::three_more:
            return within(0x80, 0xbf, State::two_more);
        case State::after_e0:
            return within(0xa0, 0xbf, State::one_more);
        case State::after_ed:
            return within(0x80, 0x9f, State::one_more);
        case State::after_f0:
            return within(0x90, 0xbf, State::two_more);
        case State::after_f4:
            return within(0x80, 0x8f, State::two_more);
        case State::impossible:
            break;
    }
    return State::impossible;
}

bool Utf8Checker::feed(std::string_view part) noexcept {
    const char* at = part.data();
    const char* const end = at + part.size();
    State state = state_;
    while (at != end && state != State::impossible) {
        while (state == State::boundary && static_cast<std::size_t>(end - at) >= kStep && is_ascii_step(at))
            at += kStep;
        if (at == end) break;
        state = next(state, static_cast<unsigned char>(*at++));
    }
    state_ = state;
    return state != State::impossible;
}

bool is_utf8(std::string_view text) noexcept {
    Utf8Checker checker;
    return checker.feed(text) && checker.complete();
}

}  // namespace sluice::core
