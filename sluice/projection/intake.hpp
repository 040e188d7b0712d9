// From messages to events with keys: what a fold takes in. Pure.
//
//     const std::vector<FoldEvent> events = intake(definition, {.mode = Mode::merged}, batch.messages);
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/ids.hpp"
#include "sluice/outbox/message.hpp"
#include "sluice/projection/definition.hpp"

namespace sluice::projection {

/// How a projection sees the lanes of its queues.
enum class Mode : std::uint8_t {
    merged,   ///< all lanes in ledger order, one owner; any key
    by_lane,  ///< each lane on its own, in parallel; the projection's key must be the message's key
};

/// One event and the keys that it concerns, each once. `event` is null when the message could not be turned into one:
/// then `fault` says why and `keys` names what has to wait for it (in merged mode nothing is known: one empty key).
struct FoldEvent {
    core::Position position;  ///< 0: given directly, not from a queue
    EventPtr event;
    std::vector<std::string> keys;
    std::string fault;
};

struct IntakeRules {
    Mode mode = Mode::merged;
    /// Types that the queue carries and the projection's Event does not: they concern nobody.
    std::set<std::string, std::less<>> ignored_types;
};

/// One FoldEvent per message, in order. Throws nothing that the projection's `key` throws: that is a fault.
[[nodiscard]] std::vector<FoldEvent> intake(const Definition& definition, const IntakeRules& rules,
                                            std::span<const outbox::Message> messages);

/// The event given directly; throws projection::Error `bad_event` when its keys cannot be had.
[[nodiscard]] FoldEvent intake_direct(const Definition& definition, EventPtr event, core::Position position);

}  // namespace sluice::projection
