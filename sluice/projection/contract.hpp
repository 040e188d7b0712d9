// What a type must have to be a projection. A part that is missing does not compile, and the message names it.
//
//     struct StockLevel {
//         using Event = std::variant<StockReceived, OrderPlaced>;
//         struct State { std::int64_t on_hand = 0; };               // described; State{} is the state of an unseen key
//         struct Delta { std::int64_t on_hand = 0; };               // optional: without it, a JSON merge patch
//         static constexpr std::string_view name = "stock_level";
//         static constexpr int state_version = 1;                   // raise it when State changes shape
//         std::string key(const Event&) const;
//         Delta apply(State&, const Event&) const;                  // pure, synchronous, no I/O
//     };
//
// Optional: `static constexpr std::string_view event_name` (of the frames; default "delta"). `key` may also return
// std::optional<std::string> (nothing: the event concerns nobody) or std::vector<std::string> (several keys, each
// once); then `apply(State&, const Event&, std::string_view key)` may ask which. `apply` may return Verdict<Delta> and
// answer `Removed{}` to delete the key's row.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace sluice::projection {

/// What `apply` answers when the key's row goes: its state is State{} again, its version still rises by one.
struct Removed {};
/// What `apply` of a projection without a Delta answers when the row stays.
struct Kept {};
/// The answer of an `apply` that may delete the row.
template <class Delta = Kept>
using Verdict = std::variant<Delta, Removed>;

inline constexpr std::size_t kLongestName = 128;
inline constexpr std::size_t kLongestKey = 512;

/// 1–128 of [A-Za-z0-9._-], the first and the last alphanumeric.
[[nodiscard]] constexpr bool is_valid_name(std::string_view name) noexcept {
    const auto alphanumeric = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    };
    if (name.empty() || name.size() > kLongestName) return false;
    for (const char c : name)
        if (!alphanumeric(c) && c != '.' && c != '_' && c != '-') return false;
    return alphanumeric(name.front()) && alphanumeric(name.back());
}

namespace internal {

template <class P>
concept HasEvent = requires { typename P::Event; };
template <class P>
concept HasState = requires { typename P::State; };
template <class P>
concept HasDelta = requires { typename P::Delta; };

template <class P>
struct DeltaOfImpl {
    using type = Kept;
};
template <HasDelta P>
struct DeltaOfImpl<P> {
    using type = typename P::Delta;
};
/// P::Delta, or Kept when the type declares none.
template <class P>
using DeltaOf = typename DeltaOfImpl<P>::type;

template <class P>
concept HasName = requires {
    { P::name } -> std::convertible_to<std::string_view>;
};
template <class P>
consteval bool name_is_valid() {
    if constexpr (HasName<P>)
        return is_valid_name(P::name);
    else
        return false;
}
template <class P>
concept HasStateVersion = requires {
    { P::state_version } -> std::convertible_to<int>;
};
template <class P>
consteval bool state_version_is_valid() {
    if constexpr (HasStateVersion<P>)
        return P::state_version >= 1;
    else
        return false;
}
template <class P>
concept HasEventName = requires {
    { P::event_name } -> std::convertible_to<std::string_view>;
};
template <class P>
consteval bool event_name_is_valid() {
    if constexpr (HasEventName<P>)
        return is_valid_name(P::event_name);
    else
        return !requires { P::event_name; };
}

template <class P>
concept StateIsAValue =
    HasState<P> && std::default_initializable<typename P::State> && std::copyable<typename P::State>;

template <class Keys>
concept KeyAnswer = std::convertible_to<Keys, std::string> || std::same_as<Keys, std::optional<std::string>> ||
                    std::same_as<Keys, std::vector<std::string>>;
template <class P>
concept HasKey = HasEvent<P> && requires(const P& projection, const typename P::Event& event) {
    { projection.key(event) } -> KeyAnswer;
};

template <class Answer, class P>
concept ApplyAnswer = std::same_as<Answer, Verdict<DeltaOf<P>>> || (HasDelta<P> && std::same_as<Answer, DeltaOf<P>>) ||
                      (!HasDelta<P> && std::is_void_v<Answer>);
template <class P>
concept AppliesEvent = HasEvent<P> && HasState<P> &&
                       requires(const P& projection, typename P::State& state, const typename P::Event& event) {
                           { projection.apply(state, event) } -> ApplyAnswer<P>;
                       };
template <class P>
concept AppliesEventToKey =
    HasEvent<P> && HasState<P> &&
    requires(const P& projection, typename P::State& state, const typename P::Event& event, std::string_view key) {
        { projection.apply(state, event, key) } -> ApplyAnswer<P>;
    };
template <class P>
concept HasApply = AppliesEvent<P> || AppliesEventToKey<P>;

/// Instantiated by whoever takes a projection: names the first parts that are missing.
template <class P>
struct Contract {
    static_assert(
        HasEvent<P>,
        "projection: the type has no member type 'Event' (for example std::variant<StockReceived, OrderPlaced>)");
    static_assert(HasState<P>, "projection: the type has no member type 'State' (a described struct)");
    static_assert(
        !HasState<P> || StateIsAValue<P>,
        "projection: 'State' must be default-constructible and copyable; State{} is the state of an unseen key");
    static_assert(HasName<P>, "projection: the type has no 'static constexpr std::string_view name'");
    static_assert(!HasName<P> || name_is_valid<P>(),
                  "projection: 'name' must be 1-128 of [A-Za-z0-9._-], first and last alphanumeric");
    static_assert(HasStateVersion<P>, "projection: the type has no 'static constexpr int state_version'");
    static_assert(!HasStateVersion<P> || state_version_is_valid<P>(), "projection: 'state_version' begins at 1");
    static_assert(event_name_is_valid<P>(),
                  "projection: 'event_name' must be a std::string_view of 1-128 of [A-Za-z0-9._-], first and last "
                  "alphanumeric");
    static_assert(!HasEvent<P> || HasKey<P>,
                  "projection: the type has no 'key(const Event&) const' that returns std::string, "
                  "std::optional<std::string> or std::vector<std::string>");
    static_assert(
        !HasEvent<P> || !HasState<P> || HasApply<P>,
        "projection: the type has no 'apply(State&, const Event&) const' that returns 'Delta' or Verdict<Delta> "
        "(void or Verdict<> where it declares no 'Delta')");
    static constexpr bool holds = true;
};

}  // namespace internal

/// A type that `Projections::add` takes.
template <class P>
concept Projection = internal::HasEvent<P> && internal::StateIsAValue<P> && internal::name_is_valid<P>() &&
                     internal::state_version_is_valid<P>() && internal::event_name_is_valid<P>() &&
                     internal::HasKey<P> && internal::HasApply<P>;

}  // namespace sluice::projection
