// A rule of RFC 6455 as data: what a client writes and what has to come back. The same table is run against the pure
// reader and against a server over sockets. Ids of the groups 1 to 10 are those of the public WebSocket test suite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/testing/ws_client.hpp"

namespace sluice::conformance::ws {

enum class What : std::uint8_t { text, binary, pong, close };

/// Something an echo server answers. Of a close only the code counts.
struct Seen {
    What what = What::text;
    std::string payload;
    std::uint16_t code = 0;
    friend bool operator==(const Seen&, const Seen&) = default;
};

inline Seen text(std::string payload) {
    return {What::text, std::move(payload)};
}
inline Seen binary(std::string payload) {
    return {What::binary, std::move(payload)};
}
inline Seen pong(std::string payload) {
    return {What::pong, std::move(payload)};
}
inline Seen closed(std::uint16_t code) {
    return {What::close, {}, code};
}

struct Rule {
    std::string group;  ///< "WebSocket 6.4"
    std::string id;     ///< "6.4.2"
    std::vector<std::string> writes;
    std::vector<Seen> expected;      ///< the last is a close
    std::size_t decided = 0;         ///< bytes after which the failure has to be told; 0: not judged
    bool prompt = false;             ///< each ping is answered before the next write
    bool sizes_of_a_server = false;  ///< needs limits above the defaults
};
using Rules = std::vector<Rule>;

/// What the writes of a rule are in all.
[[nodiscard]] std::string whole(const Rule& rule);
[[nodiscard]] std::vector<std::string> in_pieces(std::string_view bytes, std::size_t size);

using testing::masked_frame;
[[nodiscard]] std::string close_frame(std::uint16_t code, std::string_view reason = {});
/// The frame with reserved bits 1 to 7 set.
[[nodiscard]] std::string with_reserved(std::string frame, unsigned bits);
/// A header with a length in the form of `bytes` bytes (0, 2 or 8) and no payload.
[[nodiscard]] std::string header(unsigned first, std::uint64_t length, std::size_t bytes, bool masked = true);
[[nodiscard]] std::string join(const std::vector<std::string>& parts);

/// One message in fragments of `size` bytes; nothing in between.
[[nodiscard]] std::vector<std::string> fragments(std::uint8_t opcode, std::string_view payload, std::size_t size);

/// A rule that ends with a clean close by the client.
[[nodiscard]] Rule answered(std::string group, std::string id, std::vector<std::string> writes,
                            std::vector<Seen> expected);
/// A rule at which the server has to fail the connection with `code`.
[[nodiscard]] Rule failing(std::string group, std::string id, std::vector<std::string> writes, std::vector<Seen> before,
                           std::uint16_t code);

[[nodiscard]] Rules framing_rules();   ///< groups 1 to 4
[[nodiscard]] Rules fragment_rules();  ///< group 5
[[nodiscard]] Rules utf8_rules();      ///< group 6
[[nodiscard]] Rules close_rules();     ///< group 7
[[nodiscard]] Rules size_rules();      ///< groups 9 and 10, but 9.7 and 9.8
[[nodiscard]] Rules own_rules();
/// Groups 1 to 7, 10 and our own.
[[nodiscard]] Rules all_small_rules();

/// A string of group 6.5 to 6.23.
struct Utf8Sample {
    std::string id;
    std::string bytes;
    bool valid = true;
};
[[nodiscard]] std::vector<Utf8Sample> utf8_samples();
/// The number of bytes after which `bytes` cannot become UTF-8 any more, or its size + 1 if it can.
[[nodiscard]] std::size_t first_impossible(std::string_view bytes);

}  // namespace sluice::conformance::ws
