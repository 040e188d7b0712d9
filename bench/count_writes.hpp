// Counts the write calls of this process where they enter the system, whatever the product's own books say.
#pragma once

#include <cstdint>

namespace sluice::bench {

/// `send` and `sendmsg` since the process began.
[[nodiscard]] std::uint64_t write_calls() noexcept;

}  // namespace sluice::bench
