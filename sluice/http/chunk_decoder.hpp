// Chunked bodies, strictly (RFC 9112 section 7.1): on doubt the request is refused, because two readers who disagree
// about where a body ends can be made to disagree about whose request comes next.
//
//     ChunkDecoder decoder(limit);
//     const auto progress = decoder.feed(bytes, body);       // consumed, or refused with a status and a reason
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

/// What was done with a piece of a body.
struct BodyProgress {
    std::size_t consumed = 0;
    unsigned refused = 0;  ///< 0, 400, 413 or 431
    std::string reason;
};

/// Decodes one body as it arrives. Sizes are bare hexadecimal digits, every line ends in CR LF; extensions and trailers
/// are checked, bounded and read over. Pure; never throws but for lack of memory.
class ChunkDecoder {
public:
    explicit ChunkDecoder(std::size_t body_limit) : body_limit_(body_limit) {}

    /// Appends what it decodes to `body`. Bytes behind the last chunk are left.
    BodyProgress feed(std::string_view bytes, std::string& body);
    [[nodiscard]] bool done() const noexcept { return state_ == State::done; }

private:
    enum class State : std::uint8_t {
        size_start,  ///< the first digit of a size
        size,
        extension,
        size_end,  ///< the LF behind a size
        data,
        data_cr,
        data_lf,
        trailer_start,  ///< behind the chunk of size 0: a trailer, or the empty line
        trailer,
        trailer_lf,
        last_lf,
        done,
        refused,
    };
    struct Step {
        State next;
        std::string complaint{};  // empty: none
        unsigned status = 400;
    };
    Step step(char c);
    Step size_digit(char c, bool first);
    Step extension(char c);
    Step trailer(char c);
    void begin_chunk(State next);

    std::size_t body_limit_;
    State state_ = State::size_start;
    std::uint64_t size_ = 0;
    std::uint64_t left_ = 0;    ///< data bytes of the chunk in progress
    std::size_t line_ = 0;      ///< bytes of the size line in progress
    std::size_t trailers_ = 0;  ///< bytes of all trailers
    std::string text_;          ///< the extension or trailer in progress
    std::size_t overhead_ = 0;  ///< bytes that are not data
    std::size_t data_total_ = 0;
};

}  // namespace sluice::http
