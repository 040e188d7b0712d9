// How an event becomes a message's type and payload. By default a variant of described structs: the type is the name of
// the alternative, the payload its canonical JSON. Specialise Codec<T> for anything else.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "sluice/core/json.hpp"
#include "sluice/core/type_name.hpp"

namespace sluice::outbox {

template <class Event>
struct Codec {
    static std::string type(const Event&) { return std::string(core::type_name<Event>()); }
    static std::string encode(const Event& event) { return core::json::encode(event); }
    static std::expected<Event, std::string> decode(std::string_view type, std::string_view payload) {
        if (type != core::type_name<Event>()) return std::unexpected("unknown event type '" + std::string(type) + "'");
        auto event = core::json::decode<Event>(payload);
        if (!event) return std::unexpected(core::json::to_string(event.error()));
        return std::move(*event);
    }
};

template <class... Events>
struct Codec<std::variant<Events...>> {
    using Event = std::variant<Events...>;

    static std::string type(const Event& event) {
        return std::visit([]<class E>(const E&) { return std::string(core::type_name<E>()); }, event);
    }
    static std::string encode(const Event& event) {
        return std::visit([](const auto& e) { return core::json::encode(e); }, event);
    }
    static std::expected<Event, std::string> decode(std::string_view type, std::string_view payload) {
        std::expected<Event, std::string> decoded = std::unexpected(std::string());
        const bool known = (try_one<Events>(type, payload, decoded) || ...);
        if (!known) decoded = std::unexpected("unknown event type '" + std::string(type) + "'");
        return decoded;
    }

private:
    template <class E>
    static bool try_one(std::string_view type, std::string_view payload, std::expected<Event, std::string>& decoded) {
        if (type != core::type_name<E>()) return false;
        auto event = core::json::decode<E>(payload);
        if (event)
            decoded = Event(std::move(*event));
        else
            decoded = std::unexpected(core::json::to_string(event.error()));
        return true;
    }
};

}  // namespace sluice::outbox
