// The typed side of a Definition: the only templates behind a projection.
//
//     const auto definition = projection::define<StockLevel>();
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "sluice/core/json.hpp"
#include "sluice/outbox/codec.hpp"
#include "sluice/projection/contract.hpp"
#include "sluice/projection/definition.hpp"

namespace sluice::projection {

/// Event and state of one type as the untyped core carries them.
template <class Event>
struct TypedEvent final : AnyEvent {
    explicit TypedEvent(Event v) : value(std::move(v)) {}
    Event value;
};
template <class State>
struct TypedState final : AnyState {
    TypedState() = default;
    explicit TypedState(State v) : value(std::move(v)) {}
    State value{};
};

template <Projection P>
class TypedDefinition final : public Definition {
public:
    using Event = typename P::Event;
    using State = typename P::State;

    explicit TypedDefinition(P projection) : projection_(std::move(projection)) {}

    std::string_view name() const noexcept override { return P::name; }
    std::string_view event_name() const noexcept override {
        if constexpr (internal::HasEventName<P>)
            return P::event_name;
        else
            return {};
    }
    int state_version() const noexcept override { return P::state_version; }

    std::expected<EventPtr, std::string> decode(std::string_view type, std::string_view payload) const override {
        auto event = outbox::Codec<Event>::decode(type, payload);
        if (!event) return std::unexpected(std::move(event.error()));
        return std::make_unique<const TypedEvent<Event>>(std::move(*event));
    }

    std::vector<std::string> keys(const AnyEvent& event) const override {
        auto answer = projection_.key(event_of(event));
        using Answer = decltype(answer);
        std::vector<std::string> keys;
        if constexpr (std::same_as<Answer, std::vector<std::string>>) {
            keys = std::move(answer);
        } else if constexpr (std::same_as<Answer, std::optional<std::string>>) {
            if (answer) keys.push_back(std::move(*answer));
        } else {
            keys.emplace_back(std::move(answer));
        }
        return keys;
    }

    StatePtr initial() const override { return std::make_unique<TypedState<State>>(); }
    StatePtr copy(const AnyState& state) const override {
        return std::make_unique<TypedState<State>>(static_cast<const TypedState<State>&>(state).value);
    }
    std::expected<StatePtr, std::string> decode_state(std::string_view canonical) const override {
        auto state = core::json::decode<State>(canonical);
        if (!state) return std::unexpected(core::json::to_string(state.error()));
        return std::make_unique<TypedState<State>>(std::move(*state));
    }
    std::string encode_state(const AnyState& state) const override {
        return core::json::encode(static_cast<const TypedState<State>&>(state).value);
    }

    Applied apply(AnyState& state, const AnyEvent& event, std::string_view key, bool with_delta) const override {
        State& value = static_cast<TypedState<State>&>(state).value;
        if constexpr (internal::HasDelta<P>) {
            return apply_with_delta(value, event_of(event), key, with_delta);
        } else {
            return apply_with_patch(value, event_of(event), key, with_delta);
        }
    }

private:
    using Delta = internal::DeltaOf<P>;

    static const Event& event_of(const AnyEvent& event) { return static_cast<const TypedEvent<Event>&>(event).value; }

    decltype(auto) call(State& state, const Event& event, std::string_view key) const {
        if constexpr (internal::AppliesEventToKey<P>)
            return projection_.apply(state, event, key);
        else
            return projection_.apply(state, event);
    }

    Applied apply_with_delta(State& state, const Event& event, std::string_view key, bool with_delta) const {
        const auto answer = call(state, event, key);
        if constexpr (std::same_as<decltype(answer), const Verdict<Delta>>) {
            if (std::holds_alternative<Removed>(answer)) return remove(state, with_delta);
            return Applied{false, with_delta ? core::json::encode(std::get<Delta>(answer)) : std::string()};
        } else {
            return Applied{false, with_delta ? core::json::encode(answer) : std::string()};
        }
    }

    Applied apply_with_patch(State& state, const Event& event, std::string_view key, bool with_delta) const {
        State before{};
        if (with_delta) before = state;
        if constexpr (std::is_void_v<decltype(call(state, event, key))>) {
            call(state, event, key);
        } else {
            const auto answer = call(state, event, key);
            if (std::holds_alternative<Removed>(answer)) return remove(state, with_delta);
        }
        return Applied{false, with_delta ? core::json::merge_patch(before, state) : std::string()};
    }

    static Applied remove(State& state, bool with_delta) {
        state = State{};
        return Applied{true, with_delta ? "null" : ""};
    }

    P projection_;
};

/// Shared by whoever folds, reads or rebuilds it; immutable.
template <class P>
[[nodiscard]] std::shared_ptr<const Definition> define(P projection = {}) {
    static_assert(internal::Contract<P>::holds);
    return std::make_shared<const TypedDefinition<P>>(std::move(projection));
}

}  // namespace sluice::projection
