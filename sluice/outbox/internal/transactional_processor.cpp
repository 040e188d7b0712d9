// Handlers whose effects commit together with the cursor: exactly once.
#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/error.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/unit_run.hpp"

namespace sluice::outbox {
namespace {

/// Messages of one key that was set aside which are tried in one unit.
constexpr std::int64_t kParkedAtOnce = 32;

Complaint complaint_of(const Outcome& outcome) {
    return {outcome.reason(), outcome.kind() == Outcome::Kind::reject, outcome.after()};
}

Complaint complaint_of(const std::exception_ptr& error) {
    return {core::describe(error), false, std::nullopt};
}

class TransactionalProcessor final : public Processor {
public:
    TransactionalProcessor(DeliveryDeps& deps, Subscription& subscription) : deps_(deps), subscription_(subscription) {}

    db::Task<std::uint64_t> run(std::size_t lane, LaneStep step) override {
        if (step.kind == LaneStep::Kind::parked) return run_parked(lane, std::move(step.group));
        return run_batch(lane, step.count, step.careful);
    }
    db::Task<void> finish() override { co_return; }

private:
    db::Task<std::uint64_t> run_batch(std::size_t lane, std::uint32_t count, bool careful);
    db::Task<void> perform(db::UnitOfWork& unit, UnitRun& run);
    db::Task<void> handle_whole_batch(db::UnitOfWork& unit, UnitRun& run);
    db::Task<void> handle_messages(db::UnitOfWork& unit, UnitRun& run);
    db::Task<bool> handle_carefully(db::UnitOfWork& unit, UnitRun& run, std::size_t index);
    db::Task<std::optional<Complaint>> try_in_savepoint(db::UnitOfWork& unit, const Message& message);
    db::Task<void> try_message(db::UnitOfWork& unit, const Message& message, std::optional<Complaint>& complaint);
    db::Task<void> write(db::UnitOfWork& unit, std::vector<Write> writes);
    db::Task<void> settle_failure(UnitRun& run, std::exception_ptr error);
    db::Task<void> record_alone(UnitRun& run, Complaint complaint);
    bool judge(UnitRun& run, const Item& item, const Complaint& complaint);
    void learn(const UnitRun& run);

    db::Task<std::uint64_t> run_parked(std::size_t lane, std::string group);
    db::Task<std::exception_ptr> try_parked(UnitRun& run, const std::string& group, std::int64_t limit);
    db::Task<void> perform_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group, std::int64_t limit);
    db::Task<void> record_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group,
                                 const Complaint& complaint);
    bool judge_parked(UnitRun& run, const Item& item, const Complaint& complaint);
    void learn_parked(const UnitRun& run, const std::string& group);
    db::Task<void> look_again(std::size_t lane);

    [[nodiscard]] UnitRun prepare(std::size_t lane, std::uint32_t count, bool careful);
    [[nodiscard]] Batch batch_of(const UnitRun& run) const;
    [[nodiscard]] Batch batch_of_one(const Message& message) const;
    [[nodiscard]] db::Dialect dialect() const noexcept { return deps_.source->dialect(); }
    [[nodiscard]] LaneFsm& fsm(const UnitRun& run) { return subscription_.lanes[run.lane]; }

    DeliveryDeps& deps_;
    Subscription& subscription_;
};

Message with_attempts(const Item& item) {
    Message message = item.message();
    message.attempts = static_cast<int>(item.attempts);
    return message;
}

UnitRun TransactionalProcessor::prepare(std::size_t lane, std::uint32_t count, bool careful) {
    const LaneBuffer& buffer = subscription_.feed.lane(lane);
    const LaneFsm& machine = subscription_.lanes[lane];
    UnitRun run;
    run.lane = lane;
    run.careful = careful;
    run.cursor = subscription_.cursor(lane);
    run.from = buffer.acknowledged();
    run.from_tick = buffer.front_tick();
    run.items.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        Item item;
        item.waiting = buffer.at(i);
        const Message& message = item.message();
        item.group = key_group(item.waiting.logged.queue, message.key, item.waiting.number);
        item.attempts = machine.attempts(item.waiting.number);
        if (is_for_another(message, subscription_.plan.name))
            item.fate = Item::Fate::pass;
        else if (machine.parked().contains(item.group) && !core::mutant("outbox_parked_key_overtaken"))
            item.fate = Item::Fate::join;
        run.items.push_back(std::move(item));
    }
    return run;
}

db::Task<std::uint64_t> TransactionalProcessor::run_batch(std::size_t lane, std::uint32_t count, bool careful) {
    UnitRun run = prepare(lane, count, careful);
    db::TransactionOptions options;
    options.retry_serialization = 2;
    std::exception_ptr error;
    try {
        if (core::mutant("outbox_cursor_before_apply")) {
            run.done = run.items.size();
            const auto early = [this, &run](db::UnitOfWork& unit) { return write(unit, run.take_writes()); };
            co_await deps_.source->transaction(options, early);
            run.from = run.items.back().waiting.number;
        }
        const auto body = [this, &run](db::UnitOfWork& unit) { return perform(unit, run); };
        co_await deps_.source->transaction(options, body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) {
        learn(run);
        co_return run.handled;
    }
    co_await settle_failure(run, error);
    co_return 0;
}

db::Task<void> TransactionalProcessor::perform(db::UnitOfWork& unit, UnitRun& run) {
    run.begin();
    if (subscription_.plan.on_batch)
        co_await handle_whole_batch(unit, run);
    else
        co_await handle_messages(unit, run);
    co_await write(unit, run.take_writes());
}

Batch TransactionalProcessor::batch_of(const UnitRun& run) const {
    Batch batch;
    if (subscription_.plan.queues.size() == 1) batch.queue = subscription_.plan.queues.front();
    batch.subscription = subscription_.plan.name;
    batch.lane = core::LaneId(static_cast<std::uint16_t>(run.lane));
    batch.after = run.from;
    batch.up_to = run.items.back().waiting.number;
    batch.messages.reserve(run.items.size());
    for (const Item& item : run.items) {
        batch.ledger_epoch = std::max(batch.ledger_epoch, item.message().ledger_epoch);
        if (item.fate == Item::Fate::handle) batch.messages.push_back(with_attempts(item));
    }
    return batch;
}

/// A message that waited apart, for a handler of batches; its place is behind the cursor.
Batch TransactionalProcessor::batch_of_one(const Message& message) const {
    Batch batch;
    batch.queue = message.queue;
    batch.subscription = subscription_.plan.name;
    const bool merged = subscription_.plan.order == Order::merged;
    batch.lane = merged ? core::LaneId(0) : message.lane;
    batch.up_to = merged ? message.position.value() : message.sequence.value();
    batch.after = batch.up_to - 1;
    batch.ledger_epoch = message.ledger_epoch;
    batch.messages.push_back(message);
    return batch;
}

db::Task<void> TransactionalProcessor::handle_whole_batch(db::UnitOfWork& unit, UnitRun& run) {
    const Batch batch = batch_of(run);
    if (!batch.messages.empty()) {
        const core::SteadyTime begun = deps_.now();
        co_await subscription_.plan.on_batch(unit, batch);
        subscription_.metrics.handler.observe(std::chrono::duration<double>(deps_.now() - begun).count());
    }
    for (const Item& item : run.items) {
        if (item.fate == Item::Fate::join) run.join(item);
        if (item.fate == Item::Fate::handle) run.finish(item, dialect());
    }
    run.done = run.items.size();
}

db::Task<void> TransactionalProcessor::handle_messages(db::UnitOfWork& unit, UnitRun& run) {
    for (std::size_t i = 0; i < run.items.size(); ++i) {
        Item& item = run.items[i];
        if (run.is_set_aside(item.group)) item.fate = Item::Fate::join;
        if (item.fate == Item::Fate::join) {
            run.join(item);
        } else if (item.fate == Item::Fate::handle && run.careful) {
            const bool go_on = co_await handle_carefully(unit, run, i);
            if (!go_on) co_return;
        } else if (item.fate == Item::Fate::handle) {
            std::optional<Complaint> complaint;
            co_await try_message(unit, item.message(), complaint);
            if (complaint) {
                run.culprit = {i, *complaint};
                throw Undone();
            }
            run.finish(item, dialect());
        }
        run.done = i + 1;
    }
}

/// Answers whether the messages behind it may go on.
db::Task<bool> TransactionalProcessor::handle_carefully(db::UnitOfWork& unit, UnitRun& run, std::size_t index) {
    const Item& item = run.items[index];
    const Message message = with_attempts(item);
    const std::optional<Complaint> complaint = co_await try_in_savepoint(unit, message);
    if (complaint) co_return judge(run, item, *complaint);
    run.finish(item, dialect());
    co_return true;
}

db::Task<std::optional<Complaint>> TransactionalProcessor::try_in_savepoint(db::UnitOfWork& unit,
                                                                            const Message& message) {
    std::optional<Complaint> complaint;
    std::exception_ptr error;
    try {
        std::function<db::Task<void>(db::UnitOfWork&)> body = [this, &message, &complaint](db::UnitOfWork& inner) {
            return try_message(inner, message, complaint);
        };
        co_await unit.savepoint(std::move(body));
    } catch (const Undone&) {
        // The handler said why; its writes are undone.
    } catch (...) {
        error = std::current_exception();
    }
    if (error) {
        if (fault_of_error(error) != Fault::message) std::rethrow_exception(error);
        complaint = complaint_of(error);
    }
    co_return complaint;
}

db::Task<void> TransactionalProcessor::try_message(db::UnitOfWork& unit, const Message& message,
                                                   std::optional<Complaint>& complaint) {
    const core::SteadyTime begun = deps_.now();
    Outcome outcome = Outcome::ok();
    if (subscription_.plan.on_batch) {
        const Batch batch = batch_of_one(message);
        co_await subscription_.plan.on_batch(unit, batch);
    } else {
        outcome = co_await subscription_.plan.on_message(unit, message);
    }
    subscription_.metrics.handler.observe(std::chrono::duration<double>(deps_.now() - begun).count());
    if (outcome.kind() == Outcome::Kind::ok) co_return;
    complaint = complaint_of(outcome);
    throw Undone();
}

/// What a failed message's verdict adds to the unit. Answers whether the messages behind it may go on.
bool TransactionalProcessor::judge(UnitRun& run, const Item& item, const Complaint& complaint) {
    if (complaint.rejected) {
        run.bury(item, item.attempts + 1, complaint, dialect());
        return true;
    }
    Failure failure;
    failure.now = deps_.now();
    failure.after = complaint.after;
    failure.random01 = deps_.random.unit();
    const Judgement judgement = fsm(run).judge_failure(item.waiting.number, failure);
    switch (judgement.verdict) {
        case Verdict::dead_letter:
            run.bury(item, judgement.state.attempts, complaint, dialect());
            return true;
        case Verdict::set_aside:
        case Verdict::hold:
            run.park(item, judgement, complaint);
            return true;
        case Verdict::try_again:
            run.keep(item, judgement, complaint, dialect());
            return false;
    }
    return false;
}

db::Task<void> TransactionalProcessor::write(db::UnitOfWork& unit, std::vector<Write> writes) {
    std::vector<db::Statement> statements;
    std::vector<bool> one_row;
    for (Write& one : writes) {
        statements.push_back(std::move(one.statement));
        one_row.push_back(one.one_row);
    }
    const std::vector<db::Result> results = co_await unit.run(std::move(statements));
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (one_row[i] && results[i].affected != 1) throw FenceMissed();
    }
}

/// The unit committed.
void TransactionalProcessor::learn(const UnitRun& run) {
    LaneFsm& machine = subscription_.lanes[run.lane];
    const SubscriptionMetrics& metrics = subscription_.metrics;
    const core::SystemTime now = deps_.shard.clock().system_now();
    for (std::size_t i = 0; i < run.done; ++i) {
        if (run.items[i].fate != Item::Fate::handle) continue;
        const auto age = now - run.items[i].message().created_at;
        metrics.commit_to_delivered.observe(std::max(0.0, std::chrono::duration<double>(age).count()));
    }
    metrics.delivered.add(static_cast<double>(run.handled));
    metrics.dead_lettered.add(run.buried);
    metrics.parked.add(static_cast<double>(run.set_aside.size()));
    if (run.done > 0) metrics.batch_messages.observe(static_cast<double>(run.done));
    subscription_.feed.acknowledge(run.lane, run.done);
    machine.passed(static_cast<std::uint32_t>(run.done));
    for (const std::int64_t number : run.finished)
        machine.forget(number);
    for (const auto& [group, key] : run.set_aside)
        machine.parked().put(group, key);
    if (run.failed) {
        metrics.retried.add();
        machine.failed(run.failed->first, run.failed->second);
        subscription_.feed.hold(run.lane);
    }
}

db::Task<void> TransactionalProcessor::settle_failure(UnitRun& run, std::exception_ptr error) {
    const Fault fault = fault_of_error(error);
    if (fault == Fault::cancelled) std::rethrow_exception(error);
    if (fault == Fault::cursor || fault == Fault::unknown) {
        deps_.log.warn("{}: {}; looking where the cursor stands", subscription_.lane_name(run.lane),
                       core::describe(error));
        // Until that is known the fence answers every try.
        co_await look_again(run.lane);
        fsm(run).disturbed(deps_.now(), deps_.random.unit());
        co_return;
    }
    if (fault == Fault::database || run.apart) {
        deps_.log.warn("{}: {}", subscription_.lane_name(run.lane), core::describe(error));
        fsm(run).disturbed(deps_.now(), deps_.random.unit());
        co_return;
    }
    const auto tried = static_cast<std::uint32_t>(run.items.size());
    if (!fsm(run).undone(tried)) co_return;
    co_await record_alone(run, run.culprit ? run.culprit->second : complaint_of(error));
}

/// The one message of a unit that was rolled back failed: what becomes of it is written without the handler.
db::Task<void> TransactionalProcessor::record_alone(UnitRun& run, Complaint complaint) {
    const auto body = [this, &run, &complaint](db::UnitOfWork& unit) {
        run.begin();
        if (judge(run, run.items.front(), complaint)) run.done = 1;
        return write(unit, run.take_writes());
    };
    std::exception_ptr error;
    try {
        db::TransactionOptions options;
        options.retry_serialization = 2;
        co_await deps_.source->transaction(options, body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) {
        learn(run);
        co_return;
    }
    if (fault_of_error(error) == Fault::cancelled) std::rethrow_exception(error);
    deps_.log.warn("{}: the failure of a message could not be recorded: {}", subscription_.lane_name(run.lane),
                   core::describe(error));
    if (fault_of_error(error) != Fault::database) co_await look_again(run.lane);
    fsm(run).disturbed(deps_.now(), deps_.random.unit());
}

db::Task<void> TransactionalProcessor::look_again(std::size_t lane) {
    std::exception_ptr error;
    try {
        co_await reload_lane(deps_, subscription_, lane);
    } catch (...) {
        error = std::current_exception();
    }
    if (error && fault_of_error(error) == Fault::cancelled) std::rethrow_exception(error);
    if (error) deps_.log.warn("{}: {}", subscription_.lane_name(lane), core::describe(error));
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

db::Task<std::uint64_t> TransactionalProcessor::run_parked(std::size_t lane, std::string group) {
    UnitRun run;
    run.lane = lane;
    run.apart = true;
    run.cursor = subscription_.cursor(lane);
    run.from = subscription_.feed.lane(lane).acknowledged();
    run.from_tick = subscription_.feed.lane(lane).front_tick();
    std::exception_ptr error = co_await try_parked(run, group, kParkedAtOnce);
    // A unit that fails at its COMMIT names no message: then one is tried alone.
    const bool isolate = error && (fault_of_error(error) == Fault::message || fault_of_error(error) == Fault::unit);
    if (isolate) error = co_await try_parked(run, group, 1);
    if (error && (fault_of_error(error) == Fault::message || fault_of_error(error) == Fault::unit)) {
        const Complaint complaint = complaint_of(error);
        const auto body = [this, &run, &group, &complaint](db::UnitOfWork& unit) {
            return record_parked(unit, run, group, complaint);
        };
        error = nullptr;
        try {
            co_await deps_.source->transaction({}, body);
        } catch (...) {
            error = std::current_exception();
        }
    }
    if (error) {
        co_await settle_failure(run, error);
        co_return 0;
    }
    learn_parked(run, group);
    co_return run.handled;
}

db::Task<std::exception_ptr> TransactionalProcessor::try_parked(UnitRun& run, const std::string& group,
                                                                std::int64_t limit) {
    const auto body = [this, &run, &group, limit](db::UnitOfWork& unit) {
        return perform_parked(unit, run, group, limit);
    };
    std::exception_ptr error;
    try {
        co_await deps_.source->transaction({}, body);
    } catch (...) {
        error = std::current_exception();
    }
    co_return error;
}

db::Task<void> TransactionalProcessor::perform_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group,
                                                      std::int64_t limit) {
    run.begin();
    std::vector<db::Statement> select;
    select.push_back(select_parked(run.cursor, group, limit));
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const db::Result& rows = results[0];
    if (static_cast<std::int64_t>(rows.size()) == limit)
        run.still_apart = ParkedKey{{0, deps_.now(), deps_.now()}, false};
    for (const db::Row& row : rows) {
        const Item item = parked_item(deps_, row, group);
        const Message message = with_attempts(item);
        const std::optional<Complaint> complaint = co_await try_in_savepoint(unit, message);
        if (!complaint) {
            run.finish(item, dialect());
        } else if (!judge_parked(run, item, *complaint)) {
            break;
        }
    }
    co_await write(unit, run.take_writes());
}

/// The first message of the key failed at COMMIT: what becomes of it is written without the handler.
db::Task<void> TransactionalProcessor::record_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group,
                                                     const Complaint& complaint) {
    run.begin();
    std::vector<db::Statement> select;
    select.push_back(select_parked(run.cursor, group, 2));
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const db::Result& rows = results[0];
    if (rows.size() == 2) run.still_apart = ParkedKey{{0, deps_.now(), deps_.now()}, false};
    if (!rows.empty()) {
        const Item item = parked_item(deps_, rows.rows[0], group);
        judge_parked(run, item, complaint);
    }
    co_await write(unit, run.take_writes());
}

/// Answers whether the messages behind it may go on.
bool TransactionalProcessor::judge_parked(UnitRun& run, const Item& item, const Complaint& complaint) {
    Failure failure;
    failure.now = deps_.now();
    failure.after = complaint.after;
    failure.random01 = deps_.random.unit();
    failure.apart = true;
    const RetryState before{item.attempts, failure.now, failure.now};
    const Judgement judgement = outbox::judge(fsm(run).rules().retry, before, failure);
    if (complaint.rejected || judgement.verdict == Verdict::dead_letter) {
        run.bury(item, judgement.state.attempts, complaint, dialect());
        return true;
    }
    run.wait_apart(item, ParkedKey{judgement.state, judgement.verdict == Verdict::hold}, complaint);
    return false;
}

void TransactionalProcessor::learn_parked(const UnitRun& run, const std::string& group) {
    LaneFsm& machine = subscription_.lanes[run.lane];
    subscription_.metrics.delivered.add(static_cast<double>(run.handled));
    subscription_.metrics.dead_lettered.add(run.buried);
    if (run.still_apart) {
        if (run.still_apart->retry.attempts > 0) subscription_.metrics.retried.add();
        machine.parked().put(group, *run.still_apart);
    } else {
        machine.parked().erase(group);
    }
    machine.parked_done();
}

}  // namespace

std::unique_ptr<Processor> make_transactional_processor(DeliveryDeps& deps, Subscription& subscription) {
    return std::make_unique<TransactionalProcessor>(deps, subscription);
}

}  // namespace sluice::outbox
