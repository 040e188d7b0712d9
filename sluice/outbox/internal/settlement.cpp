#include "sluice/outbox/internal/settlement.hpp"

#include <algorithm>

#include "sluice/core/error.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/outbox/internal/message_row.hpp"

namespace sluice::outbox {

Complaint complaint_of(const Outcome& outcome) {
    return {outcome.reason(), outcome.kind() == Outcome::Kind::reject, outcome.after()};
}

Complaint complaint_of(const std::exception_ptr& error) {
    return {core::describe(error), false, std::nullopt};
}

Message with_attempts(const Item& item) {
    Message message = item.message();
    message.attempts = static_cast<int>(item.attempts);
    return message;
}

UnitRun prepare_run(const Subscription& subscription, std::size_t lane, std::uint32_t count) {
    const LaneBuffer& buffer = subscription.feed.lane(lane);
    const LaneFsm& machine = subscription.lanes[lane];
    UnitRun run;
    run.lane = lane;
    run.cursor = subscription.cursor(lane);
    run.from = buffer.acknowledged();
    run.from_tick = buffer.front_tick();
    run.handled_before = buffer.handled();
    run.items.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Item item;
        item.waiting = buffer.at(i);
        const Message& message = item.message();
        item.group = key_group(item.waiting.logged.queue, message.key, item.waiting.number);
        item.attempts = machine.attempts(item.waiting.number);
        if (is_for_another(message, subscription.plan.name))
            item.fate = Item::Fate::pass;
        else if (machine.parked().contains(item.group) && !core::mutant("outbox_parked_key_overtaken"))
            item.fate = Item::Fate::join;
        run.items.push_back(std::move(item));
    }
    return run;
}

void rejoin(const Subscription& subscription, UnitRun& run) {
    const ParkedKeys& parked = subscription.lanes[run.lane].parked();
    if (parked.size() == 0 || core::mutant("outbox_parked_key_overtaken")) return;
    for (Item& item : run.items) {
        if (item.fate == Item::Fate::handle && parked.contains(item.group)) item.fate = Item::Fate::join;
    }
}

Item parked_item(const DeliveryDeps& deps, const db::Row& row, const std::string& group) {
    Content content = read_content(row, 0);
    Message& message = content.message;
    message.queue = deps.queue_name(content.queue);
    message.lane = core::LaneId(static_cast<std::uint16_t>(row.get<std::int64_t>("lane_of_message")));
    message.sequence = core::Sequence(row.get<std::int64_t>("sequence"));
    message.position = core::Position(row.get<std::int64_t>("position"));
    message.ledger_epoch = core::Epoch(row.get<std::int64_t>("ledger_epoch"));
    Item item;
    item.group = group;
    item.attempts = static_cast<std::uint32_t>(row.get<std::int64_t>("attempts"));
    item.waiting.number = row.get<std::int64_t>("seq");
    item.waiting.logged.queue = content.queue;
    item.waiting.logged.message = std::make_shared<const Message>(std::move(message));
    return item;
}

bool judge_in_lane(DeliveryDeps& deps, const Subscription& subscription, UnitRun& run, const Item& item,
                   const Complaint& complaint) {
    const db::Dialect dialect = deps.source->dialect();
    if (complaint.rejected) {
        run.bury(item, item.attempts + 1, complaint, dialect);
        return true;
    }
    Failure failure;
    failure.now = deps.now();
    failure.after = complaint.after;
    failure.random01 = deps.random.unit();
    failure.set_aside = run.set_aside.size();
    const Judgement judgement = subscription.lanes[run.lane].judge_failure(item.waiting.number, failure);
    switch (judgement.verdict) {
        case Verdict::dead_letter:
            run.bury(item, judgement.state.attempts, complaint, dialect);
            return true;
        case Verdict::set_aside:
        case Verdict::hold:
            run.park(item, judgement, complaint);
            return true;
        case Verdict::try_again:
            run.keep(item, judgement, complaint, dialect);
            return false;
    }
    return false;
}

bool judge_apart(DeliveryDeps& deps, const Subscription& subscription, UnitRun& run, const Item& item,
                 const Complaint& complaint) {
    Failure failure;
    failure.now = deps.now();
    failure.after = complaint.after;
    failure.random01 = deps.random.unit();
    failure.apart = true;
    const RetryState before{item.attempts, failure.now, failure.now};
    const Judgement judgement = judge(subscription.lanes[run.lane].rules().retry, before, failure);
    if (complaint.rejected || judgement.verdict == Verdict::dead_letter) {
        run.bury(item, judgement.state.attempts, complaint, deps.source->dialect());
        return true;
    }
    run.wait_apart(item, ParkedKey{judgement.state, judgement.verdict == Verdict::hold}, complaint);
    return false;
}

db::Task<void> perform_writes(db::Session& session, std::vector<Write> writes) {
    std::vector<db::Statement> statements;
    std::vector<bool> one_row;
    for (Write& one : writes) {
        statements.push_back(std::move(one.statement));
        one_row.push_back(one.one_row);
    }
    const std::vector<db::Result> results = co_await session.run(std::move(statements));
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (one_row[i] && results[i].affected != 1) throw FenceMissed();
    }
}

void learn(DeliveryDeps& deps, Subscription& subscription, const UnitRun& run) {
    LaneFsm& machine = subscription.lanes[run.lane];
    const SubscriptionMetrics& metrics = subscription.metrics;
    const core::SystemTime now = deps.shard.clock().system_now();
    for (std::size_t i = 0; i < run.done; ++i) {
        if (run.items[i].fate != Item::Fate::handle) continue;
        const auto age = now - run.items[i].message().created_at;
        metrics.commit_to_delivered.observe(std::max(0.0, std::chrono::duration<double>(age).count()));
    }
    metrics.delivered.add(static_cast<double>(run.handled));
    metrics.dead_lettered.add(run.buried);
    metrics.parked.add(static_cast<double>(run.set_aside.size()));
    metrics.retried.add(static_cast<double>(run.failed.size()));
    if (run.done > 0) metrics.batch_messages.observe(static_cast<double>(run.done));
    subscription.feed.acknowledge(run.lane, run.done);
    if (run.handled > 0) subscription.feed.note_handled(run.lane);
    machine.passed(static_cast<std::uint32_t>(run.done));
    for (const std::int64_t number : run.finished)
        machine.forget(number);
    for (const auto& [group, key] : run.set_aside)
        machine.parked().settle(group, key);
    for (const auto& [number, state] : run.failed)
        machine.failed(number, state);
    if (!run.failed.empty()) subscription.feed.hold(run.lane);
}

void learn_apart(Subscription& subscription, const UnitRun& run, const std::string& group) {
    LaneFsm& machine = subscription.lanes[run.lane];
    subscription.metrics.delivered.add(static_cast<double>(run.handled));
    subscription.metrics.dead_lettered.add(run.buried);
    if (run.still_apart && run.still_apart->retry.attempts > 0) subscription.metrics.retried.add();
    machine.parked().settle(group, run.still_apart);
    machine.parked_done();
}

db::Task<void> catch_up(DeliveryDeps& deps, Subscription& subscription, std::size_t lane) {
    const LaneBuffer& buffer = subscription.feed.lane(lane);
    const std::int64_t to = buffer.taken();
    Write write{advance_cursor(subscription.cursor(lane), buffer.acknowledged(), to, buffer.front_tick()), true};
    const auto body = [&write](db::UnitOfWork& unit) { return perform_writes(unit, {write}); };
    std::exception_ptr error;
    try {
        co_await deps.source->transaction({}, body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) {
        subscription.feed.acknowledge_idle(lane, to);
        subscription.catch_up = false;
        co_return;
    }
    if (fault_of_error(error) == Fault::cancelled) std::rethrow_exception(error);
    deps.log.warn("{}: {}", subscription.lane_name(lane), core::describe(error));
    co_await look_again(deps, subscription, lane);
    subscription.lanes[lane].disturbed(deps.now(), deps.random.unit());
}

db::Task<void> look_again(DeliveryDeps& deps, Subscription& subscription, std::size_t lane) {
    std::exception_ptr error;
    try {
        co_await reload_lane(deps, subscription, lane);
    } catch (...) {
        error = std::current_exception();
    }
    if (error && fault_of_error(error) == Fault::cancelled) std::rethrow_exception(error);
    if (error) deps.log.warn("{}: {}", subscription.lane_name(lane), core::describe(error));
}

}  // namespace sluice::outbox
