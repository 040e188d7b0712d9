#include "sluice/runtime/outside.hpp"

#include <boost/asio/co_spawn.hpp>

#include "sluice/core/error.hpp"

namespace sluice::runtime::internal {

void start_noexcept(Shard& shard, Task<void> task) {
    shard.post([&shard, task = std::move(task)]() mutable {
        boost::asio::co_spawn(shard.executor(), std::move(task), [](const std::exception_ptr& error) {
            SLUICE_ASSERT(error == nullptr, "a task that must not throw did: {}", core::describe(error));
        });
    });
}

}  // namespace sluice::runtime::internal
