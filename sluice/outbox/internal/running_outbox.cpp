#include "sluice/outbox/internal/running_outbox.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/worker_log.hpp"

namespace sluice::outbox {
namespace {

runtime::WorkerSettings reader_settings(const WorkerPlan& plan) {
    runtime::WorkerSettings settings = plan.processor;
    settings.active_interval = settings.min_interval = std::chrono::nanoseconds(0);
    return settings;
}

/// One who waits, listed as long as it does.
class Registration {
public:
    Registration(std::list<runtime::Wake*>& list, runtime::Wake& wake)
        : list_(list), place_(list.insert(list.end(), &wake)) {}
    ~Registration() { list_.erase(place_); }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;

private:
    std::list<runtime::Wake*>& list_;
    std::list<runtime::Wake*>::iterator place_;
};

}  // namespace

RunningOutbox::RunningOutbox(const std::shared_ptr<db::DataSource>& source, runtime::Shard& shard,
                             const core::Logger& log, core::Metrics& metrics, OutboxPlan plan, WorkerPlan workers)
    : shard_(shard),
      log_(log.named(fmt::format("outbox {}", source->name()))),
      metrics_(metrics),
      plan_(std::move(plan)),
      worker_plan_(workers),
      deps_{source, shard, log_, core::Random(core::random_seed()), {}},
      letters_(deps_, [this](const std::string& name, std::size_t lane, const std::string& group,
                             SqlDeadLetters::News news) { hear_of_parked(name, lane, group, news); }),
      flusher_(source, shard),
      housekeeping_(deps_, subscriptions_, ledger_, queues_),
      workers_(shard, log_) {
    sequencing_ = make_sequencing({source, shard, log_, metrics, plan_.settings,
                                   [this](std::vector<Numbered> ticks) { accept(std::move(ticks)); }});
}

RunningOutbox::~RunningOutbox() {
    SLUICE_ASSERT(!sequencing_started_ || stopped_, "the outbox of {} is destroyed without stop()",
                  deps_.source->name());
}

db::Task<void> RunningOutbox::start() {
    std::exception_ptr error;
    try {
        co_await enter_database();
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        co_await runtime::begin_cleanup();
        co_await stop(std::chrono::milliseconds(0));
        std::rethrow_exception(error);
    }
    start_workers();
}

db::Task<void> RunningOutbox::enter_database() {
    const std::string source(deps_.source->name());
    {
        std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::write);
        co_await check_schema(*connection, source);
    }
    // A start sees what others have acknowledged until it locks their cursors.
    db::TransactionOptions newest;
    newest.isolation = db::Isolation::read_committed;
    newest.retry_serialization = 2;
    const auto declare = [this](db::UnitOfWork& unit) { return declare_queues(unit, plan_.queues); };
    queues_ = co_await deps_.source->transaction(newest, declare);
    for (const QueueRow& queue : queues_)
        deps_.queue_names.emplace(queue.number, queue.name);
    reader_ = std::make_unique<LogReader>(deps_.source, deps_.queue_names);
    sequencing_started_ = true;
    co_await sequencing_->start();
    const auto claim = [this](db::UnitOfWork& unit) { return claim_all(unit); };
    co_await deps_.source->transaction(newest, claim);
    for (auto& subscription : subscriptions_) {
        subscription->first_slot = scheduler_.add(subscription->feed.lanes());
        subscription->metrics = make_metrics(metrics_, std::string(deps_.source->name()), subscription->plan.name);
        const std::size_t index = processors_.size();
        for (std::size_t lane = 0; lane < subscription->feed.lanes(); ++lane)
            slots_.push_back({index, lane});
        processors_.push_back(subscription->plan.on_lease ? make_leased_processor(deps_, *subscription, flusher_)
                                                          : make_transactional_processor(deps_, *subscription));
    }
    loaded_ = true;
    for (const Numbered& numbered : std::exchange(early_, {}))
        take(numbered);
}

db::Task<void> RunningOutbox::claim_all(db::UnitOfWork& unit) {
    co_await lock_start(unit);
    subscriptions_.clear();
    std::map<std::int32_t, std::uint16_t> lanes;
    for (const QueueRow& queue : queues_)
        lanes.emplace(queue.number, queue.lanes);
    const std::string source(deps_.source->name());
    ledger_ = co_await load_ledger(unit, std::move(lanes), source);
    LaneRules rules;
    rules.batch = worker_plan_.processor.batch;
    rules.retry.backoff = worker_plan_.processor.retry;
    const FeedLimits feed{std::size_t{2} * plan_.settings.backlog_chunk, plan_.settings.tick_bytes};
    const std::string owner = fmt::format("{}-{}", ::getpid(), core::unique_id().substr(0, 8));
    const ClaimContext context{source, owner, queues_, ledger_, feed, deps_.now(), rules};
    for (const SubscriptionPlan& subscription : plan_.subscriptions)
        subscriptions_.push_back(co_await claim_subscription(unit, subscription, context));
}

void RunningOutbox::start_workers() {
    workers_started_ = true;
    const auto interval = plan_.settings.statistics_interval;
    const auto listen = [&](const char* kind) {
        runtime::Worker::Listeners listeners;
        listeners.push_back(std::make_shared<runtime::WorkerStatistics>(kind, interval, shard_.clock(), log_));
        return listeners;
    };
    const runtime::Worker::Listeners processors = listen("processor");
    for (std::uint32_t i = 0; i < plan_.settings.processors; ++i) {
        runtime::Worker::Listeners listeners = processors;
        listeners.push_back(std::make_shared<runtime::WorkerTroubleLog>(log_));
        processor_workers_.push_back(&workers_.add(
            fmt::format("processor {}", i), [this] { return process(); }, worker_plan_.processor,
            std::move(listeners)));
    }
    runtime::Worker::Listeners backlog = listen("backlog");
    backlog.push_back(std::make_shared<runtime::WorkerTroubleLog>(log_));
    backlog_worker_ =
        &workers_.add("backlog", [this] { return read_backlog(); }, reader_settings(worker_plan_), std::move(backlog));
    if (has_leases()) {
        runtime::WorkerSettings pace = reader_settings(worker_plan_);
        pace.active_interval = pace.min_interval = plan_.settings.ack_interval;
        runtime::Worker::Listeners acks = listen("acks");
        acks.push_back(std::make_shared<runtime::WorkerTroubleLog>(log_));
        flusher_.set_worker(&workers_.add("acks", [this] { return flusher_.flush(); }, pace, std::move(acks)));
    }
    runtime::Worker::Listeners retention = listen("retention");
    retention.push_back(std::make_shared<runtime::WorkerTroubleLog>(log_));
    workers_.add("retention", [this] { return retain(); }, worker_plan_.retention, std::move(retention));
    const auto watch = [&] {
        runtime::Worker::Listeners listeners;
        listeners.push_back(std::make_shared<runtime::WorkerTroubleLog>(log_));
        return listeners;
    };
    workers_.add("reconciler", [this] { return housekeeping_.reconcile(); }, worker_plan_.reconciler, watch());
    sequencer_ = &workers_.add("sequencer", [this] { return poll(); }, worker_plan_.sequencer, watch());
    if (!sequencing_->at_commit()) news_ = deps_.source->news()->listen([this] { sequencer_->notify(); });
    mark_all();
    workers_.start();
}

bool RunningOutbox::has_leases() const noexcept {
    return std::ranges::any_of(subscriptions_, [](const auto& one) { return one->plan.on_lease != nullptr; });
}

void RunningOutbox::accept(std::vector<Numbered> ticks) {
    if (!loaded_) {
        std::ranges::move(ticks, std::back_inserter(early_));
        return;
    }
    for (const Numbered& numbered : ticks)
        take(numbered);
}

void RunningOutbox::take(const Numbered& numbered) {
    if (numbered.tick.n <= ledger_.newest()) return;  // the claim has read it already
    const auto applied = ledger_.apply(numbered.tick);
    SLUICE_ASSERT(applied.has_value(), "{}: {}", deps_.source->name(), applied.error());
    ++ticks_seen_;
    for (auto& subscription : subscriptions_) {
        subscription->feed.saw(numbered.tick);
        offer(*subscription, numbered.slice);
        if (subscription->feed.wants() && backlog_worker_ != nullptr) backlog_worker_->notify();
    }
    wake_processors();
    tell_waiters();
}

void RunningOutbox::offer(Subscription& subscription, const LogSlice& slice) {
    const auto fed = subscription.feed.offer(slice);
    if (!fed) {
        log_.error("subscription {}: {}; it stops, nothing is skipped", subscription.plan.name, fed.error());
        subscription.lost = true;
        return;
    }
    for (const std::size_t lane : *fed)
        scheduler_.mark(subscription.first_slot + lane);
}

void RunningOutbox::mark_all() {
    for (std::size_t slot = 0; slot < slots_.size(); ++slot)
        scheduler_.mark(slot);
}

void RunningOutbox::wake_processors() {
    const std::size_t wanted = std::min(scheduler_.waiting(), processor_workers_.size());
    for (std::size_t i = 0; i < wanted; ++i)
        processor_workers_[i]->notify();
}

db::Task<runtime::Directive> RunningOutbox::process() {
    for (;;) {
        const core::SteadyTime now = deps_.now();
        const std::optional<std::size_t> index = scheduler_.take(now);
        if (!index) break;
        const LaneSlot slot = slots_[*index];
        Subscription& subscription = *subscriptions_[slot.subscription];
        LaneFsm& machine = subscription.lanes[slot.lane];
        LaneStep step;
        const LaneBuffer& buffer = subscription.feed.lane(slot.lane);
        const std::int64_t head = buffer.size() > 0 ? buffer.at(0).number : 0;
        if (!subscription.lost) step = machine.next(now, buffer.size(), head);
        if (step.kind == LaneStep::Kind::batch || step.kind == LaneStep::Kind::parked) {
            const std::uint64_t done = co_await run_step(slot, *index, std::move(step));
            co_return runtime::Directive::proceed(done);
        }
        if (step.kind == LaneStep::Kind::idle && is_behind(subscription, slot.lane)) {
            co_await catch_up(deps_, subscription, slot.lane);
            scheduler_.release(*index);
            co_return runtime::Directive::proceed();
        }
        scheduler_.release(*index);
        if (step.kind == LaneStep::Kind::wait) scheduler_.mark_at(*index, step.until);
    }
    const std::optional<core::SteadyTime> due = scheduler_.next_due();
    if (!due) co_return runtime::Directive::idle();
    co_return runtime::Directive::sleep(std::max(*due - deps_.now(), core::SteadyTime::duration(0)));
}

/// Nothing waits, but the stored cursor lies far behind what was looked at, or retention wants it moved.
bool RunningOutbox::is_behind(const Subscription& subscription, std::size_t lane) {
    constexpr std::int64_t kFar = 1'000;
    if (subscription.lost) return false;
    const LaneBuffer& buffer = subscription.feed.lane(lane);
    const std::int64_t behind = buffer.taken() - buffer.acknowledged();
    return buffer.size() == 0 && behind > 0 && (subscription.catch_up || behind >= kFar);
}

db::Task<runtime::Directive> RunningOutbox::retain() {
    const runtime::Directive directive = co_await housekeeping_.retain(worker_plan_.retention.batch);
    for (const auto& subscription : subscriptions_) {
        if (subscription->plan.order != Order::merged) continue;
        scheduler_.mark(subscription->first_slot);
        wake_processors();
    }
    co_return directive;
}

db::Task<std::uint64_t> RunningOutbox::run_step(LaneSlot slot, std::size_t index, LaneStep step) {
    std::uint64_t done = 0;
    std::exception_ptr error;
    try {
        done = co_await processors_[slot.subscription]->run(slot.lane, std::move(step));
    } catch (...) {
        error = std::current_exception();
    }
    scheduler_.mark(index);
    scheduler_.release(index);
    if (subscriptions_[slot.subscription]->feed.wants()) backlog_worker_->notify();
    tell_waiters();
    if (error) std::rethrow_exception(error);
    co_return done;
}

/// One stretch for every subscription that fell behind.
db::Task<runtime::Directive> RunningOutbox::read_backlog() {
    std::uint64_t read = 0;
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
        Subscription& subscription = *subscriptions_[i];
        const std::optional<ReadPoint> from = subscription.lost ? std::nullopt : subscription.feed.wants();
        if (!from) continue;
        const ReadLimits limits{plan_.settings.backlog_chunk, plan_.settings.tick_bytes};
        const LogSlice slice = co_await reader_->read(*from, subscription.feed.queues(), limits);
        if (slice.end == slice.begin) {
            throw Error(ErrorKind::corrupt, deps_.source->name(),
                        fmt::format("subscription {}: nothing follows tick {} although its lanes go on",
                                    subscription.plan.name, from->tick));
        }
        offer(subscription, slice);
        read += slice.messages.size() + 1;
        wake_processors();
        tell_waiters();
    }
    if (read == 0) co_return runtime::Directive::idle();
    co_return runtime::Directive::proceed(read);
}

db::Task<runtime::Directive> RunningOutbox::poll() {
    const std::uint64_t poll = ++polls_begun_;
    const std::uint64_t found = co_await sequencing_->tick();
    housekeeping_.update_gauges();
    if (found > 0) co_return runtime::Directive::proceed(found);
    polls_ended_ = poll;
    tell_waiters();
    co_return runtime::Directive::idle(std::exchange(ticks_seen_, 0));
}

bool RunningOutbox::passed_all() const noexcept {
    return std::ranges::all_of(subscriptions_,
                               [](const auto& subscription) { return subscription->feed.passed_all(); });
}

/// Whether what was committed before poll `poll` began is numbered.
bool RunningOutbox::numbered(std::uint64_t poll) const noexcept {
    return sequencing_->at_commit() || polls_ended_ >= poll;
}

void RunningOutbox::tell_waiters() {
    if (waiters_.empty() || !passed_all()) return;
    for (runtime::Wake* const waiter : waiters_)
        waiter->notify();
}

db::Task<bool> RunningOutbox::drained(std::chrono::milliseconds limit) {
    const core::SteadyTime until = deps_.now() + limit;
    runtime::Wake wake(shard_);
    const Registration registration(waiters_, wake);
    const std::uint64_t poll = polls_begun_ + 1;
    if (sequencer_ != nullptr) sequencer_->notify();
    while (!(numbered(poll) && passed_all()) && !stopped_) {
        const auto left = until - deps_.now();
        if (left <= core::SteadyTime::duration(0)) break;
        co_await wake.wait_for(left);
    }
    co_return numbered(poll) && passed_all();
}

db::Task<std::vector<Message>> RunningOutbox::read_log(core::Position after, core::Position up_to,
                                                       std::uint32_t limit) {
    std::vector<Message> messages;
    while (messages.size() < limit && after < up_to) {
        const auto room = static_cast<std::uint32_t>(limit - messages.size());
        const ReadLimits limits{std::min(room, plan_.settings.backlog_chunk), plan_.settings.tick_bytes};
        const LogSlice slice = co_await reader_->read_behind(after, limits);
        if (slice.messages.empty()) break;
        for (const LoggedMessage& logged : slice.messages) {
            if (logged.message->position > up_to) co_return messages;
            if (!letter_of(*logged.message) || core::mutant("outbox_log_with_replays"))
                messages.push_back(*logged.message);
        }
        after = slice.up_to;
    }
    co_return messages;
}

db::Task<core::Position> RunningOutbox::oldest_kept() {
    return reader_->oldest_kept();
}

std::vector<CursorStatus> RunningOutbox::status() const {
    std::vector<CursorStatus> all;
    for (const auto& subscription : subscriptions_) {
        for (std::size_t i = 0; i < subscription->feed.lanes(); ++i) {
            const LaneBuffer& lane = subscription->feed.lane(i);
            CursorStatus status;
            status.subscription = subscription->plan.name;
            status.queue = subscription->plan.queues.front();
            status.lane = core::LaneId(static_cast<std::uint16_t>(i));
            status.acknowledged = lane.size() == 0 && !lane.lagging() ? lane.head() : lane.acknowledged();
            status.head = lane.head();
            all.push_back(std::move(status));
        }
    }
    return all;
}

db::Task<void> RunningOutbox::stop(std::chrono::milliseconds deadline) {
    if (std::exchange(stopped_, true)) {
        co_await wait_stopped();
        co_return;
    }
    std::exception_ptr interrupted;
    news_ = {};
    flusher_.begin_stop();
    try {
        if (workers_started_) co_await workers_.stop(deadline);
    } catch (...) {
        interrupted = std::current_exception();
    }
    if (interrupted) co_await runtime::begin_cleanup();
    if (sequencing_started_) co_await sequencing_->stop();
    ended_ = true;
    for (runtime::Wake* const waiter : waiters_)
        waiter->notify();
    if (interrupted) std::rethrow_exception(interrupted);
}

db::Task<void> RunningOutbox::wait_stopped() {
    runtime::Wake wake(shard_);
    const Registration registration(waiters_, wake);
    while (!ended_)
        co_await wake.wait();
}

void RunningOutbox::hear_of_parked(const std::string& name, std::size_t lane, const std::string& group,
                                   SqlDeadLetters::News news) {
    for (const auto& subscription : subscriptions_) {
        if (subscription->plan.name != name || lane >= subscription->lanes.size()) continue;
        ParkedKeys& keys = subscription->lanes[lane].parked();
        if (news == SqlDeadLetters::News::announced) {
            keys.announce(group);
            continue;
        }
        keys.tell(group, deps_.now());
        scheduler_.mark(subscription->first_slot + lane);
        wake_processors();
    }
}

}  // namespace sluice::outbox
