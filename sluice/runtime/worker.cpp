#include "sluice/runtime/worker.hpp"

#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/assert.hpp"

namespace sluice::runtime {
namespace {

const WorkerSettings& checked(const std::string& name, const WorkerSettings& settings) {
    check(name, settings);
    return settings;
}

bool is_defect(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const core::Error&) {
        return false;
    } catch (const boost::system::system_error&) {
        return false;
    } catch (...) {
        return true;
    }
}

/// Tells of the stop and gives the permit back whichever way the loop is left.
class LoopWatch {
public:
    LoopWatch(const std::string& worker, const Worker::Listeners& listeners, std::optional<Permit>& permit)
        : worker_(worker), listeners_(listeners), permit_(permit) {
        for (const auto& listener : listeners_)
            listener->on_start(worker_);
    }
    ~LoopWatch() {
        permit_.reset();
        for (const auto& listener : listeners_)
            listener->on_stop(worker_);
    }
    LoopWatch(const LoopWatch&) = delete;
    LoopWatch& operator=(const LoopWatch&) = delete;

private:
    const std::string& worker_;
    const Worker::Listeners& listeners_;
    std::optional<Permit>& permit_;
};

}  // namespace

Worker::Worker(Shard& shard, std::string name, Action action, const WorkerSettings& settings, Listeners listeners,
               Bulkhead bulkhead)
    : shard_(shard),
      name_(std::move(name)),
      action_(std::move(action)),
      listeners_(std::move(listeners)),
      bulkhead_(std::move(bulkhead)),
      panic_policy_(settings.panic),
      fsm_(checked(name_, settings)),
      random_(std::hash<std::string>{}(name_) ^ static_cast<std::uint64_t>(now().time_since_epoch().count())),
      bell_(shard) {}

void Worker::notify() {
    if (!notified_.exchange(true)) bell_.notify();
}

void Worker::stop() {
    SLUICE_ASSERT(shard_.accessible(), "{} is stopped from another thread than shard {}'s", name_, shard_.index());
    stopping_ = true;
    fsm_.request_stop();
    bell_.notify();
}

Task<void> Worker::run() {
    const LoopWatch watch(name_, listeners_, permit_);
    WorkerAction next = fsm_.start();
    while (next.step != WorkerAction::Step::stop) {
        switch (next.step) {
            case WorkerAction::Step::acquire:
                co_await boost::asio::post(use_task);  // however busy, the shard's other work goes on between two runs
                next = request_permit();
                break;
            case WorkerAction::Step::run:
                next = co_await run_action();
                break;
            default:
                next = co_await wait(next.until);
        }
    }
    if (panic_) std::rethrow_exception(panic_);
}

WorkerAction Worker::request_permit() {
    permit_.emplace(bulkhead_, [this] { bell_.notify(); });
    return permit_->granted() ? fsm_.permitted() : fsm_.woken(now());
}

Task<WorkerAction> Worker::wait(core::SteadyTime until) {
    const auto left = until - now();
    if (until == core::SteadyTime::max())
        co_await bell_.wait();
    else if (left.count() > 0)
        co_await bell_.wait_for(left);
    if (permit_ && permit_->granted()) co_return fsm_.permitted();
    if (notified_.load()) fsm_.notify();
    co_return fsm_.woken(now());
}

Task<WorkerAction> Worker::run_action() {
    notified_.store(false);  // from here on a notification means another run
    for (const auto& listener : listeners_)
        listener->on_run(name_);
    const auto began = now();
    std::optional<Directive> directive;
    std::exception_ptr error;
    try {
        directive = co_await action_();
    } catch (...) {
        error = std::current_exception();
    }
    permit_.reset();
    const auto took = now() - began;
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (error && cancellation.cancelled() != boost::asio::cancellation_type::none) std::rethrow_exception(error);
    if (notified_.load()) fsm_.notify();
    if (error) co_return after_error(error, took);
    co_return after_run(*directive, took);
}

WorkerAction Worker::after_run(const Directive& directive, std::chrono::nanoseconds took) {
    for (const auto& listener : listeners_)
        listener->on_complete(name_, took, directive);
    const auto at = now();
    const WorkerAction next = fsm_.ran(directive, at);
    if (directive.kind() != Directive::Kind::proceed && next.step == WorkerAction::Step::wait) {
        for (const auto& listener : listeners_)
            listener->on_idle(name_, next.until - at);
    }
    return next;
}

WorkerAction Worker::after_error(const std::exception_ptr& error, std::chrono::nanoseconds took) {
    const bool defect = is_defect(error);
    const auto at = now();
    const WorkerAction next = defect ? fsm_.panicked(at, random_.unit()) : fsm_.failed(at, random_.unit());
    const bool ends = next.step == WorkerAction::Step::stop;
    if (defect && panic_policy_ == PanicPolicy::propagate) panic_ = error;
    WorkerFailure failure;
    failure.error = error;
    failure.panic = defect;
    failure.in_a_row = fsm_.failures();
    failure.took = took;
    if (!ends) failure.retry_in = next.until - at;
    for (const auto& listener : listeners_)
        listener->on_error(name_, failure);
    return next;
}

}  // namespace sluice::runtime
