// Numbers in network byte order, as PostgreSQL's binary formats hold them.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "sluice/db/value.hpp"

namespace sluice::db::postgres {

/// PostgreSQL counts microseconds from the start of 2000.
inline constexpr std::chrono::microseconds kEpochOffset = std::chrono::seconds{946'684'800};

template <std::integral Number>
void put_number(std::string& bytes, Number number) {
    const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
    for (std::size_t i = sizeof(Number); i-- > 0;)
        bytes += static_cast<char>((bits >> (8 * i)) & 0xFF);
}

/// Reads from the front of `rest` and shortens it; empty if it is too short.
template <std::integral Number>
std::optional<Number> take_number(std::string_view& rest) {
    if (rest.size() < sizeof(Number)) return std::nullopt;
    std::make_unsigned_t<Number> bits = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        bits = static_cast<std::make_unsigned_t<Number>>((bits << 7 << 1) | static_cast<unsigned char>(rest[i]));
    rest.remove_prefix(sizeof(Number));
    return static_cast<Number>(bits);
}

}  // namespace sluice::db::postgres
