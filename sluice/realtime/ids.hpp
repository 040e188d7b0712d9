// Names of connections.
#pragma once

#include <cstdint>

#include "sluice/core/strong.hpp"

namespace sluice::realtime {

/// One connection of this process; never reused while the process lives. 0 names nobody.
using ConnectionId = core::Strong<struct ConnectionIdTag, std::uint64_t>;

}  // namespace sluice::realtime
