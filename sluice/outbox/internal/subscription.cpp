#include "sluice/outbox/internal/subscription.hpp"

#include <charconv>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/outbox/internal/limits.hpp"

namespace sluice::outbox {

std::string Subscription::lane_name(std::size_t lane) const {
    return fmt::format("{}/{}", plan.name, lane);
}

std::optional<ReplayedLetter> letter_of(const Message& message) {
    if (message.headers.empty()) return std::nullopt;
    const auto letter = message.headers.find(std::string(kLetterHeader));
    const auto claim = message.headers.find(std::string(kClaimHeader));
    if (letter == message.headers.end() || claim == message.headers.end()) return std::nullopt;
    ReplayedLetter replayed;
    const char* const end = letter->second.data() + letter->second.size();
    if (std::from_chars(letter->second.data(), end, replayed.id).ptr != end) return std::nullopt;
    replayed.claim = claim->second;
    return replayed;
}

bool is_for_another(const Message& message, std::string_view name) {
    if (message.headers.empty() || core::mutant("outbox_replay_to_everybody")) return false;
    const auto only = message.headers.find(std::string(kOnlyHeader));
    return only != message.headers.end() && only->second != name;
}

}  // namespace sluice::outbox
