// expect: no matching function for call to 'advance'|could not convert|invalid initialization
#include <cstdint>

#include "sluice/core/strong.hpp"

using LaneId = sluice::core::Strong<struct LaneIdTag, std::int64_t>;
using Sequence = sluice::core::Strong<struct SequenceTag, std::int64_t>;

std::int64_t advance(LaneId lane, Sequence up_to) {
    return lane.value() + up_to.value();
}

#ifdef MENDED
std::int64_t moved() {
    return advance(LaneId(1), Sequence(2));
}
#else
std::int64_t moved() {
    return advance(Sequence(2), LaneId(1));
}
#endif
