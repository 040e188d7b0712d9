// What reading a projection answers.
#pragma once

#include <string>

#include "sluice/core/ids.hpp"

namespace sluice::projection {

/// A state at its position. A client that holds (epoch, version) misses nothing if it is given every later version of
/// that epoch.
template <class State>
struct Versioned {
    State state;
    core::Version version;
    core::Epoch epoch;
    bool stale = false;  ///< of another state_version, until the rebuild has switched
};

/// As `Versioned`, with the key it belongs to.
template <class State>
struct Keyed {
    std::string key;
    Versioned<State> value;
};

/// A state as its canonical JSON. A key that was never seen, or was removed, has State{}, and its version (0, or the
/// last one).
struct RawState {
    std::string key;
    std::string state;
    core::Version version;
    core::Epoch epoch;
    bool exists = false;
    bool stale = false;
};

/// One delta of the log.
struct RawDelta {
    core::Version version;
    std::string delta;  ///< JSON text
};

/// What an event that was given directly did to one key.
struct AppliedKey {
    std::string key;
    core::Version version;
    core::Epoch epoch;
    std::string delta;  ///< JSON text
};

}  // namespace sluice::projection
