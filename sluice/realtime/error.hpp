// Failures of calls into realtime. What a client did wrong is never an exception: it is answered on the wire.
#pragma once

#include <cstdint>
#include <string>

#include "sluice/core/error.hpp"

namespace sluice::realtime {

enum class ErrorKind : std::uint8_t {
    unknown_namespace,  ///< a channel of a namespace that was not declared
    bad_payload,        ///< not one JSON value, an integer beyond 2^53 - 1, or larger than the namespace allows
    bad_call,           ///< the call does not fit the channel: an event to a channel whose source numbers its frames
};

class RealtimeError final : public core::Error {
public:
    RealtimeError(ErrorKind kind, const std::string& text) : core::Error(text), kind_(kind) {}
    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

}  // namespace sluice::realtime
