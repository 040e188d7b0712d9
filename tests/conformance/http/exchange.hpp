// Raw HTTP/1.1: bytes in, every response until the connection ends out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::conformance::http {

struct Answer {
    unsigned status = 0;
    std::map<std::string, std::string> fields;  ///< names in lower case
    std::string body;
};

/// The responses in `bytes`, interim ones left out. `head_first`: the first answers HEAD and has no body. Throws for
/// anything that is no response.
[[nodiscard]] std::vector<Answer> split_answers(std::string_view bytes, bool head_first = false);

/// Sends `bytes` in pieces of `piece` on a connection of its own and reads until the server has closed.
[[nodiscard]] std::vector<Answer> exchange(std::uint16_t port, std::string_view bytes, std::size_t piece,
                                           bool head_first = false);

inline constexpr std::size_t kWhole = 1 << 24;

/// A server that the table is run against.
struct Target {
    std::uint16_t port = 0;
    std::string name;       ///< in the tally
    std::string good_path;  ///< answers GET with 200
};

/// What a rule expects of the bytes and of the valid requests behind them.
struct Verdict {
    unsigned refused = 0;    ///< this status, once, and the connection closed; 0: taken
    bool closes = false;     ///< taken, but the last request of its connection
    bool head_only = false;  ///< answers HEAD
};

/// Runs `request` whole, in small pieces and behind a valid one; what is wrong, or nothing.
[[nodiscard]] std::string run_rule(const Target& target, const std::string& request, const Verdict& verdict);

[[nodiscard]] std::string good_request(const Target& target, const std::string& fields = {});

}  // namespace sluice::conformance::http
