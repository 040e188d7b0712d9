#include "sluice/realtime/internal/source_calls.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace sluice::realtime {
namespace {

/// A source may answer without ever waiting; the home that asks is not ready for that before its turn is over.
runtime::Task<void> run_later(runtime::Executor executor, SourceCalls::Start start) {
    co_await boost::asio::post(executor, runtime::use_task);
    co_await start();
}

}  // namespace

SourceCalls::SourceCalls(runtime::Shard& shard, core::Logger log, std::size_t limit, Tick deadline)
    : shard_(shard), log_(std::move(log)), limit_(limit), deadline_(deadline) {}

void SourceCalls::run(std::string name, Start start, Tick now) {
    if (stopping_) return;
    forget_ended();
    if (running_.size() >= limit_) {
        waiting_.push_back({std::move(name), std::move(start)});
        return;
    }
    Call& call = running_.emplace_back(shard_, log_, now + deadline_);
    call.scope.spawn(std::move(name), run_later(shard_.executor(), std::move(start)));
}

void SourceCalls::forget_ended() {
    running_.remove_if([](const Call& call) { return call.scope.running() == 0; });
}

void SourceCalls::on_tick(Tick now) {
    for (Call& call : running_)
        if (now >= call.due) call.scope.cancel();
    forget_ended();
    while (!waiting_.empty() && running_.size() < limit_) {
        Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        run(std::move(next.name), std::move(next.start), now);
    }
}

void SourceCalls::stop() {
    stopping_ = true;
    waiting_.clear();
    for (Call& call : running_)
        call.scope.cancel();
}

bool SourceCalls::idle() {
    forget_ended();
    return running_.empty();
}

}  // namespace sluice::realtime
