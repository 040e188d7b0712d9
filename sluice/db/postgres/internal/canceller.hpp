// Asks servers to cancel statements, on a thread of its own: libpq's request blocks.
#pragma once

#include <functional>
#include <memory>

#include <libpq-fe.h>

#include "sluice/db/internal/helper_thread.hpp"

namespace sluice::db::postgres {

struct FreeCancel {
    void operator()(PGcancel* request) const noexcept { PQfreeCancel(request); }
};
using CancelRequest = std::unique_ptr<PGcancel, FreeCancel>;

/// Thread-safe.
class Canceller {
public:
    /// Calls `done` on its thread once the server was told, or could not be. Until then a late cancel may hit whatever
    /// the connection does next.
    void request(CancelRequest what, std::function<void()> done);

private:
    db::internal::HelperThread thread_;
};

}  // namespace sluice::db::postgres
