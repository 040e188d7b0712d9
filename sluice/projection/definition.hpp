// A projection without its types: decodes, asks for keys, applies, encodes. Everything below `Projections::add` works
// on this port, so that the fold, the storage and the rebuild are compiled once.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::projection {

/// An event of one projection's Event type.
struct AnyEvent {
    virtual ~AnyEvent() = default;
};
using EventPtr = std::unique_ptr<const AnyEvent>;

/// A state of one projection's State type.
struct AnyState {
    virtual ~AnyState() = default;
};
using StatePtr = std::unique_ptr<AnyState>;

/// What one event did to one key.
struct Applied {
    bool removed = false;
    std::string delta;  ///< JSON text; empty when none was asked for
};

/// Immutable and thread-safe. Events and states must be of the same definition.
class Definition {
public:
    virtual ~Definition() = default;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    [[nodiscard]] virtual std::string_view event_name() const noexcept = 0;  ///< empty: the default, "delta"
    [[nodiscard]] virtual int state_version() const noexcept = 0;

    /// The event of a message, or why it is none. Never throws but for lack of memory.
    [[nodiscard]] virtual std::expected<EventPtr, std::string> decode(std::string_view type,
                                                                      std::string_view payload) const = 0;
    /// The keys that `event` concerns, in the projection's order; none: it is ignored. Throws what `key` throws.
    [[nodiscard]] virtual std::vector<std::string> keys(const AnyEvent& event) const = 0;

    [[nodiscard]] virtual StatePtr initial() const = 0;
    [[nodiscard]] virtual StatePtr copy(const AnyState& state) const = 0;
    [[nodiscard]] virtual std::expected<StatePtr, std::string> decode_state(std::string_view canonical) const = 0;
    /// Canonical bytes: equal states are equal bytes. Throws core::json::EncodeError for what JSON cannot hold.
    [[nodiscard]] virtual std::string encode_state(const AnyState& state) const = 0;
    /// Folds `event` into `state`; a removal leaves State{}. Throws what `apply` or the delta's encoding throws;
    /// `state` is then undefined.
    virtual Applied apply(AnyState& state, const AnyEvent& event, std::string_view key, bool with_delta) const = 0;
};

}  // namespace sluice::projection
