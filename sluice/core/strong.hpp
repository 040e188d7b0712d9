// Numbers that cannot be mistaken for each other: a LaneId is not a Sequence although both are integers.
//
//     using Sequence = core::Strong<struct SequenceTag, std::int64_t>;
//     Sequence first{1};
//     Sequence second = first.next();
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

#include <fmt/format.h>

namespace sluice::core {

/// A value of `Rep` with a meaning of its own. Ordered, hashable, formattable; conversions are explicit both ways.
template <class Tag, class Rep>
class Strong {
public:
    using Representation = Rep;

    constexpr Strong() = default;
    constexpr explicit Strong(Rep value) : value_(value) {}

    [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
    [[nodiscard]] constexpr Strong next() const noexcept { return Strong(static_cast<Rep>(value_ + 1)); }

    friend constexpr auto operator<=>(Strong, Strong) = default;

private:
    Rep value_{};
};

}  // namespace sluice::core

template <class Tag, class Rep>
struct std::hash<sluice::core::Strong<Tag, Rep>> {
    std::size_t operator()(sluice::core::Strong<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};

template <class Tag, class Rep>
struct fmt::formatter<sluice::core::Strong<Tag, Rep>> : fmt::formatter<Rep> {
    template <class Context>
    auto format(sluice::core::Strong<Tag, Rep> id, Context& context) const {
        return fmt::formatter<Rep>::format(id.value(), context);
    }
};
