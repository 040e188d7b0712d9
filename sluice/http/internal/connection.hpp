// One connection from its first byte to its end: read a head, a body, answer, again.
#pragma once

#include "sluice/http/internal/shared.hpp"
#include "sluice/net/stream.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::http::internal {

/// Serves `stream` until it ends, is refused, upgraded or drained. `shared` and `running` outlive it.
runtime::Task<void> serve_connection(ServerShared& shared, runtime::Shard& shard, Running& running, net::Stream stream);

}  // namespace sluice::http::internal
