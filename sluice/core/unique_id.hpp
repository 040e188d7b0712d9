// Random names that nobody guesses and that never meet again: request ids, lease owners, tokens.
//
//     std::string request_id = core::unique_id();      // "5f0c…", 32 hexadecimal digits
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sluice::core {

/// Fills `into` from the operating system's generator. Thread-safe; aborts the process if the system has none.
void fill_random(std::span<std::byte> into);

/// 128 random bits as 32 lower-case hexadecimal digits. Thread-safe.
[[nodiscard]] std::string unique_id();

/// 64 random bits, for the seed of a core::Random. Thread-safe.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace sluice::core
