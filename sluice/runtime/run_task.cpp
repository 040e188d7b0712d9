#include "sluice/runtime/run_task.hpp"

#include <exception>

#include <boost/asio/co_spawn.hpp>

namespace sluice::runtime {

void run_task(Shard& shard, Task<void> task) {
    std::exception_ptr failure;
    boost::asio::co_spawn(shard.executor(), std::move(task), [&](const std::exception_ptr& error) {
        failure = error;
        shard.stop();
    });
    shard.run();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace sluice::runtime
