// Leaving HTTP: a route decides before the 101 is written, then the socket moves on with what was read too far.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "sluice/http/message.hpp"
#include "sluice/http/request_context.hpp"
#include "sluice/net/stream.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::http {

/// Takes the socket after the 101 left, on the connection's shard, with the bytes that followed the request.
using Takeover = std::move_only_function<void(net::Stream stream, std::string leftover)>;

struct Upgrade {
    Headers headers;  ///< of the 101: Upgrade, Sec-WebSocket-Accept, …; Connection is the server's
    Takeover takeover;
};

/// An ordinary response refuses.
using UpgradeDecision = std::variant<Response, Upgrade>;
using UpgradeHandler = std::function<runtime::Task<UpgradeDecision>(RequestContext&)>;

}  // namespace sluice::http
