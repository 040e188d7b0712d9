// A strict check of a request's head on its bytes, before any parser sees them. On doubt: 400 and close. It refuses
// what Beast's parser lets pass (a second Host, obs-fold, `Content-Length: 3, 3`, `Transfer-Encoding: xchunked`),
// because the body of such a request would be read as the next one.
//
//     const HeadVerdict verdict = check_head(bytes, limits);
//     if (verdict.state == HeadState::complete) parse(bytes.substr(0, verdict.length));
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

struct HeadLimits {
    std::size_t request_line = 8 * 1024;  ///< bytes; beyond: 414
    std::size_t total = 32 * 1024;        ///< bytes of the whole head; beyond: 431
    std::size_t fields = 100;             ///< beyond: 431
};

enum class HeadState : std::uint8_t { incomplete, complete, refused };

struct HeadVerdict {
    HeadState state = HeadState::incomplete;
    std::size_t length = 0;  ///< complete: bytes up to and with the empty line, one before the request included
    unsigned status = 0;     ///< refused: 400, 414, 417, 421, 431, 501 or 505
    std::string reason;      ///< refused: what is wrong, where, what is expected
};

/// Pure; never throws; reads only what it is given. Rules: RFC 9112 sections 2 to 6, RFC 9110 sections 5 and 7.2.
[[nodiscard]] HeadVerdict check_head(std::string_view bytes, const HeadLimits& limits);

/// RFC 9110 section 5.6.2.
[[nodiscard]] bool is_token_char(char c) noexcept;

/// What is wrong with one line of a chunked body's trailers, without its CR LF; empty: nothing. Trailers are read over,
/// so fields that would change the request have no place there. Pure.
[[nodiscard]] std::string flaw_of_trailer(std::string_view line);

/// Whether the last `fresh` bytes of `bytes` can have changed the verdict from incomplete. A peer that sends its head
/// byte by byte would otherwise have the whole of it checked again for each.
[[nodiscard]] bool may_decide(std::string_view bytes, std::size_t fresh, const HeadLimits& limits);

}  // namespace sluice::http
