#include "sluice/projection/intake.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"
#include "sluice/projection/key.hpp"

namespace sluice::projection {
namespace {

void keep_first_of_each(std::vector<std::string>& keys) {
    for (std::size_t i = 1; i < keys.size();) {
        const auto end = keys.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::find(keys.begin(), end, keys[i]) != end)
            keys.erase(end);
        else
            ++i;
    }
}

/// The event's keys, or what is wrong with them.
std::expected<std::vector<std::string>, std::string> keys_of(const Definition& definition, const AnyEvent& event) {
    try {
        std::vector<std::string> keys = definition.keys(event);
        for (const std::string& key : keys)
            if (const std::string_view defect = key_defect(key); !defect.empty())
                return std::unexpected(fmt::format("key '{}': {}", key.substr(0, 64), defect));
        if (keys.size() > 1) keep_first_of_each(keys);
        return keys;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& e) {
        return std::unexpected(fmt::format("key() threw: {}", e.what()));
    }
}

/// What waits for a message that is no event: in its lane, whatever has its key.
std::vector<std::string> keys_at_fault(Mode mode, const outbox::Message& message) {
    if (mode == Mode::by_lane && key_defect(message.key).empty()) return {message.key};
    return {std::string()};
}

FoldEvent faulty(Mode mode, const outbox::Message& message, std::string text) {
    return FoldEvent{message.position, nullptr, keys_at_fault(mode, message), std::move(text)};
}

FoldEvent take(const Definition& definition, const IntakeRules& rules, const outbox::Message& message) {
    if (!rules.ignored_types.empty() && rules.ignored_types.contains(message.type))
        return FoldEvent{message.position, nullptr, {}, {}};
    std::expected<EventPtr, std::string> event = definition.decode(message.type, message.payload);
    if (!event) return faulty(rules.mode, message, "does not decode: " + event.error());
    std::expected<std::vector<std::string>, std::string> keys = keys_of(definition, **event);
    if (!keys) return faulty(rules.mode, message, std::move(keys.error()));
    if (rules.mode == Mode::by_lane)
        for (const std::string& key : *keys)
            if (key != message.key)
                return faulty(rules.mode, message,
                              fmt::format("its key '{}' is not the message's key '{}': a projection by lane needs "
                                          "them equal; declare Mode::merged",
                                          key, message.key));
    return FoldEvent{message.position, std::move(*event), std::move(*keys), {}};
}

}  // namespace

std::vector<FoldEvent> intake(const Definition& definition, const IntakeRules& rules,
                              std::span<const outbox::Message> messages) {
    std::vector<FoldEvent> events;
    events.reserve(messages.size());
    for (const outbox::Message& message : messages)
        events.push_back(take(definition, rules, message));
    return events;
}

FoldEvent intake_direct(const Definition& definition, EventPtr event, core::Position position) {
    std::expected<std::vector<std::string>, std::string> keys = keys_of(definition, *event);
    if (!keys) throw Error(ErrorKind::bad_event, definition.name(), keys.error());
    return FoldEvent{position, std::move(event), std::move(*keys), {}};
}

}  // namespace sluice::projection
