// Handlers outside any transaction: at least once, fenced by the cursor's epoch, settled by message.
#include <algorithm>
#include <set>

#include "sluice/core/error.hpp"
#include "sluice/outbox/internal/ack_flusher.hpp"
#include "sluice/outbox/internal/lease_run.hpp"
#include "sluice/outbox/internal/settlement.hpp"
#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::outbox {
namespace {

constexpr std::int64_t kParkedLeasesAtOnce = 32;

/// How a handler's run ended.
struct Ending {
    std::exception_ptr error;  ///< thrown by the handler, or that the lease ran out
    bool cancelled = false;    ///< the outbox stops: what is not settled is handed back uncounted
    bool lost = false;         ///< the cursor is another owner's: nothing may be acknowledged
};

class LeasedProcessor final : public Processor {
public:
    LeasedProcessor(DeliveryDeps& deps, Subscription& subscription, AckFlusher& flusher)
        : deps_(deps), subscription_(subscription), flusher_(flusher), done_ahead_(subscription.lanes.size()) {}

    db::Task<std::uint64_t> run(std::size_t lane, LaneStep step) override {
        if (step.kind == LaneStep::Kind::parked) return run_parked_lease(lane, std::move(step.group));
        return run_leased_batch(lane, step.count);
    }

private:
    db::Task<std::uint64_t> run_leased_batch(std::size_t lane, std::uint32_t count);
    db::Task<std::uint64_t> run_parked_lease(std::size_t lane, std::string group);
    db::Task<std::exception_ptr> read_parked(UnitRun& run, const std::string& group);
    db::Task<std::uint64_t> settle_parked(UnitRun& run, const LeaseRun& lease, const Ending& ending,
                                          const std::string& group);
    db::Task<void> take_lease_on(const UnitRun& run, std::int64_t up_to);
    db::Task<std::exception_ptr> try_lease(const UnitRun& run, std::int64_t up_to);
    db::Task<Ending> call_handler(LeaseRun& lease, const UnitRun& run, std::int64_t up_to);
    db::Task<void> watch(LeaseRun& lease, const UnitRun& run, std::int64_t up_to, runtime::Wake& ended, bool& over);
    db::Task<void> handle(LeaseRun& lease, std::exception_ptr& error, runtime::Wake& ended, bool& over);
    db::Task<std::uint64_t> settle_batch(UnitRun& run, const std::vector<std::size_t>& handed, const LeaseRun& lease,
                                         const Ending& ending);
    [[nodiscard]] std::vector<std::size_t> choose(UnitRun& run);
    [[nodiscard]] bool is_exhausted(const Item& item) const;
    void write_outcomes(UnitRun& run, const std::vector<std::size_t>& handed, const LeaseRun& lease,
                        const Ending& ending);
    void pass_prefix(UnitRun& run);
    db::Task<bool> acknowledge(UnitRun& run);
    db::Task<void> settle_lease_failure(std::size_t lane, std::exception_ptr error);
    [[nodiscard]] std::optional<Complaint> complaint_of_unsettled(const LeaseRun& lease, const Ending& ending,
                                                                  std::size_t lane);
    [[nodiscard]] LeaseRun make_lease(const UnitRun& run, const std::vector<std::size_t>& handed) const;
    [[nodiscard]] std::chrono::milliseconds budget() const {
        return subscription_.plan.lease.duration - subscription_.plan.lease.headroom;
    }

    DeliveryDeps& deps_;
    Subscription& subscription_;
    AckFlusher& flusher_;
    std::vector<std::set<std::int64_t>> done_ahead_;  // per lane: done with, behind one that waits for a retry
};

/// Its last tries ended the process, so that nobody could judge them.
bool LeasedProcessor::is_exhausted(const Item& item) const {
    const SubscriptionSettings& settings = subscription_.plan.settings;
    return settings.max_attempts && item.attempts >= *settings.max_attempts && settings.poison != PoisonPolicy::block;
}

/// The items that the handler gets: not those that are done, nor whose pause is not over, nor what follows such a one
/// in its key; one that has no try left is judged at once.
std::vector<std::size_t> LeasedProcessor::choose(UnitRun& run) {
    const core::SteadyTime now = deps_.now();
    const LaneFsm& machine = subscription_.lanes[run.lane];
    std::set<std::string> waiting_keys;
    std::vector<std::size_t> handed;
    for (std::size_t i = 0; i < run.items.size(); ++i) {
        const Item& item = run.items[i];
        if (item.fate != Item::Fate::handle || done_ahead_[run.lane].contains(item.waiting.number)) continue;
        const RetryState* const retry = machine.retry_of(item.waiting.number);
        if (is_exhausted(item) && !waiting_keys.contains(item.group)) {
            judge_in_lane(deps_, subscription_, run, item, {"its handling ended the process", false, std::nullopt});
            continue;
        }
        if (waiting_keys.contains(item.group) || (retry != nullptr && retry->next_at > now))
            waiting_keys.insert(item.group);
        else
            handed.push_back(i);
    }
    return handed;
}

LeaseRun LeasedProcessor::make_lease(const UnitRun& run, const std::vector<std::size_t>& handed) const {
    std::vector<Message> messages;
    messages.reserve(handed.size());
    for (const std::size_t index : handed)
        messages.push_back(with_attempts(run.items[index]));
    return {deps_.shard, std::move(messages), budget()};
}

db::Task<std::uint64_t> LeasedProcessor::run_leased_batch(std::size_t lane, std::uint32_t count) {
    UnitRun run = prepare_run(subscription_, lane, count);
    const std::vector<std::size_t> handed = choose(run);
    const std::int64_t up_to = run.items.back().waiting.number;
    LeaseRun lease = make_lease(run, handed);
    Ending ending;
    if (!handed.empty()) {
        const std::exception_ptr error = co_await try_lease(run, up_to);
        if (error) {
            co_await settle_lease_failure(lane, error);
            co_return 0;
        }
        ending = co_await call_handler(lease, run, up_to);
        if (ending.cancelled) co_await runtime::begin_cleanup();
    }
    const std::uint64_t handled = co_await settle_batch(run, handed, lease, ending);
    co_return handled;
}

db::Task<void> LeasedProcessor::take_lease_on(const UnitRun& run, std::int64_t up_to) {
    std::vector<Write> writes;
    writes.push_back(
        {take_lease(run.cursor, run.from, up_to, subscription_.plan.lease.duration, deps_.source->dialect()), true});
    co_await flusher_.commit(std::move(writes));
}

db::Task<std::exception_ptr> LeasedProcessor::try_lease(const UnitRun& run, std::int64_t up_to) {
    std::exception_ptr error;
    try {
        co_await take_lease_on(run, up_to);
    } catch (...) {
        error = std::current_exception();
    }
    co_return error;
}

/// Runs the handler beside a watch on its deadline, and joins it whatever happens.
db::Task<Ending> LeasedProcessor::call_handler(LeaseRun& lease, const UnitRun& run, std::int64_t up_to) {
    Ending ending;
    const core::SteadyTime begun = deps_.now();
    runtime::TaskScope scope(deps_.shard, deps_.log);
    runtime::Wake ended(deps_.shard);
    bool over = false;
    scope.spawn("handler " + subscription_.lane_name(run.lane), handle(lease, ending.error, ended, over));
    std::exception_ptr stopped;
    try {
        co_await watch(lease, run, up_to, ended, over);
    } catch (...) {
        stopped = std::current_exception();
    }
    const bool in_time = over;
    if (!in_time) scope.cancel();
    if (stopped && runtime::is_cancellation(stopped)) {
        ending.cancelled = true;
        co_await runtime::begin_cleanup();
    }
    co_await scope.join();
    subscription_.metrics.handler.observe(std::chrono::duration<double>(deps_.now() - begun).count());
    if (stopped && !ending.cancelled) ending.lost = fault_of_error(stopped) == Fault::cursor;
    if (!in_time && !ending.cancelled && !ending.lost) {
        ending.error = std::make_exception_ptr(core::Error("the lease ran out before the batch was settled"));
    }
    co_return ending;
}

db::Task<void> LeasedProcessor::handle(LeaseRun& lease, std::exception_ptr& error, runtime::Wake& ended, bool& over) {
    try {
        co_await subscription_.plan.on_lease(lease);
    } catch (...) {
        error = std::current_exception();
    }
    over = true;
    ended.notify();
}

/// Returns when the handler has ended or its time is over; renews the lease while messages are settled. Throws
/// FenceMissed when the lease is another's. A database that refuses to renew costs nothing: the epoch is the fence.
db::Task<void> LeasedProcessor::watch(LeaseRun& lease, const UnitRun& run, std::int64_t up_to, runtime::Wake& ended,
                                      bool& over) {
    const auto half = subscription_.plan.lease.duration / 2;
    core::SteadyTime renew_at = deps_.now() + half;
    std::size_t settled = 0;
    while (!over) {
        const core::SteadyTime now = deps_.now();
        if (now >= lease.deadline()) co_return;
        if (now >= renew_at) {
            renew_at = now + half;
            if (lease.settled() > settled) {
                const std::size_t renewed = lease.settled();
                const std::exception_ptr error = co_await try_lease(run, up_to);
                const bool refused = error && fault_of_error(error) == Fault::database;
                if (error && !refused) std::rethrow_exception(error);
                if (!refused) settled = renewed;
                continue;
            }
        }
        co_await ended.wait_for(std::min(lease.deadline(), renew_at) - now);
    }
}

db::Task<std::uint64_t> LeasedProcessor::settle_batch(UnitRun& run, const std::vector<std::size_t>& handed,
                                                      const LeaseRun& lease, const Ending& ending) {
    if (ending.lost) {
        co_await look_again(deps_, subscription_, run.lane);
        co_return 0;
    }
    if (ending.error && !ending.cancelled) {
        deps_.log.debug("{}: {}", subscription_.lane_name(run.lane), core::describe(ending.error));
    }
    write_outcomes(run, handed, lease, ending);
    pass_prefix(run);
    const bool written = co_await acknowledge(run);
    co_return written ? run.handled : 0;
}

/// What a message gets that the handler left unsettled: nothing while it is not alone, for then a smaller batch will
/// tell.
std::optional<Complaint> LeasedProcessor::complaint_of_unsettled(const LeaseRun& lease, const Ending& ending,
                                                                 std::size_t lane) {
    if (ending.cancelled) return std::nullopt;
    const std::size_t left = lease.messages().size() - lease.settled();
    if (left == 0 || !subscription_.lanes[lane].undone(static_cast<std::uint32_t>(left))) return std::nullopt;
    if (ending.error) return complaint_of(ending.error);
    return Complaint{"the handler returned without settling it", false, std::nullopt};
}

void LeasedProcessor::write_outcomes(UnitRun& run, const std::vector<std::size_t>& handed, const LeaseRun& lease,
                                     const Ending& ending) {
    const std::optional<Complaint> unsettled = complaint_of_unsettled(lease, ending, run.lane);
    for (std::size_t i = 0; i < handed.size(); ++i) {
        const Item& item = run.items[handed[i]];
        const std::optional<Outcome>& outcome = lease.outcome(i);
        if (outcome && outcome->kind() == Outcome::Kind::ok) {
            run.finish(item, deps_.source->dialect());
            continue;
        }
        std::optional<Complaint> complaint = unsettled;
        if (outcome) complaint = complaint_of(*outcome);
        if (complaint) judge_in_lane(deps_, subscription_, run, item, *complaint);
    }
}

/// The cursor passes what is done with, up to the first message that is not.
void LeasedProcessor::pass_prefix(UnitRun& run) {
    const std::set<std::int64_t>& ahead = done_ahead_[run.lane];
    const std::set<std::int64_t> finished(run.finished.begin(), run.finished.end());
    for (std::size_t i = 0; i < run.items.size(); ++i) {
        Item& item = run.items[i];
        const std::int64_t number = item.waiting.number;
        if (item.fate == Item::Fate::handle && !finished.contains(number) && !ahead.contains(number)) {
            if (!run.is_set_aside(item.group)) return;
            item.fate = Item::Fate::join;  // its key was set aside by this very batch
        }
        if (item.fate == Item::Fate::join) run.join(item);
        run.done = i + 1;
    }
}

/// Answers whether it was committed; else the batch will be handed out again.
db::Task<bool> LeasedProcessor::acknowledge(UnitRun& run) {
    std::vector<Write> writes = run.take_writes();
    const std::int64_t to = run.done > 0 ? run.items[run.done - 1].waiting.number : run.from;
    const std::int64_t tick = run.done > 0 ? run.items[run.done - 1].waiting.logged.tick : run.from_tick;
    writes.front().statement = acknowledge_lease(run.cursor, run.from, to, tick);
    std::exception_ptr error;
    try {
        co_await flusher_.commit(std::move(writes));
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        co_await settle_lease_failure(run.lane, error);
        co_return false;
    }
    std::set<std::int64_t>& ahead = done_ahead_[run.lane];
    ahead.insert(run.finished.begin(), run.finished.end());
    learn(deps_, subscription_, run);
    std::erase_if(ahead, [to](std::int64_t number) { return number <= to; });
    co_return true;
}

db::Task<void> LeasedProcessor::settle_lease_failure(std::size_t lane, std::exception_ptr error) {
    const Fault fault = fault_of_error(error);
    if (fault == Fault::cancelled) std::rethrow_exception(error);
    deps_.log.warn("{}: {}", subscription_.lane_name(lane), core::describe(error));
    if (fault != Fault::database) co_await look_again(deps_, subscription_, lane);
    subscription_.lanes[lane].disturbed(deps_.now(), deps_.random.unit());
}

db::Task<std::uint64_t> LeasedProcessor::run_parked_lease(std::size_t lane, std::string group) {
    UnitRun run = prepare_run(subscription_, lane, 0);
    run.apart = true;
    const std::exception_ptr error = co_await read_parked(run, group);
    if (error) {
        co_await settle_lease_failure(lane, error);
        co_return 0;
    }
    if (!run.still_apart && static_cast<std::int64_t>(run.items.size()) == kParkedLeasesAtOnce)
        run.still_apart = ParkedKey{{0, deps_.now(), deps_.now()}, false};
    std::vector<std::size_t> handed(run.items.size());
    for (std::size_t i = 0; i < handed.size(); ++i)
        handed[i] = i;
    LeaseRun lease = make_lease(run, handed);
    Ending ending;
    if (!handed.empty()) ending = co_await call_handler(lease, run, run.from);
    if (ending.cancelled) co_await runtime::begin_cleanup();
    const std::uint64_t handled = co_await settle_parked(run, lease, ending, group);
    co_return handled;
}

db::Task<std::exception_ptr> LeasedProcessor::read_parked(UnitRun& run, const std::string& group) {
    std::exception_ptr error;
    try {
        std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
        std::vector<db::Statement> select;
        select.push_back(select_parked(run.cursor, group, kParkedLeasesAtOnce));
        const std::vector<db::Result> results = co_await connection->run(std::move(select));
        for (const db::Row& row : results[0])
            run.items.push_back(parked_item(deps_, row, group));
    } catch (...) {
        error = std::current_exception();
    }
    co_return error;
}

/// In the key's order: the first message that is not done with ends it.
db::Task<std::uint64_t> LeasedProcessor::settle_parked(UnitRun& run, const LeaseRun& lease, const Ending& ending,
                                                       const std::string& group) {
    for (std::size_t i = 0; i < run.items.size(); ++i) {
        const std::optional<Outcome>& outcome = lease.outcome(i);
        if (outcome && outcome->kind() == Outcome::Kind::ok) {
            run.finish(run.items[i], deps_.source->dialect());
            continue;
        }
        Complaint complaint{"the handler returned without settling it", false, std::nullopt};
        if (outcome)
            complaint = complaint_of(*outcome);
        else if (ending.error)
            complaint = complaint_of(ending.error);
        if (ending.cancelled && !outcome) {
            run.still_apart = ParkedKey{{run.items[i].attempts, deps_.now(), deps_.now()}, false};
            break;
        }
        if (!judge_apart(deps_, subscription_, run, run.items[i], complaint)) break;
    }
    std::exception_ptr error;
    try {
        co_await flusher_.commit(run.take_writes());
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        co_await settle_lease_failure(run.lane, error);
        co_return 0;
    }
    learn_apart(subscription_, run, group);
    co_return run.handled;
}

}  // namespace

std::unique_ptr<Processor> make_leased_processor(DeliveryDeps& deps, Subscription& subscription, AckFlusher& flusher) {
    return std::make_unique<LeasedProcessor>(deps, subscription, flusher);
}

}  // namespace sluice::outbox
