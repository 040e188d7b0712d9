// Waiting on Asio's loop for a socket that a client library owns: libpq's, Connector/C's.
#pragma once

#include <cstdint>
#include <memory>

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::db::internal {

/// Whether a wait ends when the coroutine is cancelled.
enum class Hearing : std::uint8_t { normal, deaf };

enum class Ready : std::uint8_t { to_read, to_write, either };

/// Watches `descriptor` from the shard that made it; its destruction ends every wait and leaves the descriptor open.
class ForeignSocket {
public:
    explicit ForeignSocket(int descriptor);
    ~ForeignSocket();
    ForeignSocket(const ForeignSocket&) = delete;
    ForeignSocket& operator=(const ForeignSocket&) = delete;

    /// Until the socket is ready, or `cancel`. Throws operation_aborted, a deaf wait does not: who ends one marks it.
    runtime::Task<void> wait(Ready what, Hearing hearing);
    /// Ends the waits under way.
    void cancel();

private:
    runtime::Task<void> wait_for_first(Ready what, Hearing hearing);

    using Descriptor = boost::asio::posix::basic_stream_descriptor<runtime::Executor>;
    std::shared_ptr<Descriptor> socket_;  // shared with waits under way
};

}  // namespace sluice::db::internal
