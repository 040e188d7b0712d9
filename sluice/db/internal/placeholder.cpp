#include "sluice/db/internal/placeholder.hpp"

#include <charconv>

#include <fmt/format.h>

namespace sluice::db::internal {
namespace {

constexpr std::size_t kLargestPlaceholder = 250'000;

}  // namespace

std::expected<std::size_t, std::string> placeholder_number(std::string_view token) {
    std::size_t number = 0;
    const char* const end = token.data() + token.size();
    const auto [stop, failure] = std::from_chars(token.data() + 1, end, number);
    if (failure != std::errc{} || stop != end || number == 0 || number > kLargestPlaceholder) {
        return std::unexpected(fmt::format("placeholder {} is not in $1..${}", token, kLargestPlaceholder));
    }
    return number;
}

}  // namespace sluice::db::internal
