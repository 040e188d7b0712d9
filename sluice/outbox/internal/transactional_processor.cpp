// Handlers whose effects commit together with the cursor: exactly once.
#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/error.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/settlement.hpp"

namespace sluice::outbox {
namespace {

/// Messages of one key that was set aside which are tried in one unit.
constexpr std::int64_t kParkedAtOnce = 32;

class TransactionalProcessor final : public Processor {
public:
    TransactionalProcessor(DeliveryDeps& deps, Subscription& subscription) : deps_(deps), subscription_(subscription) {}

    db::Task<std::uint64_t> run(std::size_t lane, LaneStep step) override {
        if (step.kind == LaneStep::Kind::parked) return run_parked(lane, std::move(step.group));
        return run_batch(lane, step.count, step.careful);
    }

private:
    db::Task<std::uint64_t> run_batch(std::size_t lane, std::uint32_t count, bool careful);
    db::Task<void> perform(db::UnitOfWork& unit, UnitRun& run);
    db::Task<void> handle_whole_batch(db::UnitOfWork& unit, UnitRun& run);
    db::Task<void> handle_messages(db::UnitOfWork& unit, UnitRun& run);
    db::Task<bool> handle_carefully(db::UnitOfWork& unit, UnitRun& run, std::size_t index);
    db::Task<std::optional<Complaint>> try_in_savepoint(db::UnitOfWork& unit, const Message& message);
    db::Task<std::optional<Complaint>> ask_handler(db::UnitOfWork& unit, const Message& message);
    db::Task<void> try_message(db::UnitOfWork& unit, const Message& message, std::optional<Complaint>& complaint);
    db::Task<void> settle_failure(UnitRun& run, std::exception_ptr error);
    db::Task<void> record_alone(UnitRun& run, Complaint complaint);

    db::Task<std::uint64_t> run_parked(std::size_t lane, std::string group);
    db::Task<std::exception_ptr> try_parked(UnitRun& run, const std::string& group, std::int64_t limit);
    db::Task<void> perform_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group, std::int64_t limit);
    db::Task<void> record_parked(db::UnitOfWork& unit, UnitRun& run, const std::string& group,
                                 const Complaint& complaint);

    [[nodiscard]] Batch batch_of(const UnitRun& run) const;
    [[nodiscard]] Batch batch_of_one(const Message& message) const;
    [[nodiscard]] db::Dialect dialect() const noexcept { return deps_.source->dialect(); }
    [[nodiscard]] LaneFsm& fsm(const UnitRun& run) { return subscription_.lanes[run.lane]; }

    DeliveryDeps& deps_;
    Subscription& subscription_;
};

db::Task<std::uint64_t> TransactionalProcessor::run_batch(std::size_t lane, std::uint32_t count, bool careful) {
    UnitRun run = prepare_run(subscription_, lane, count);
    run.careful = careful;
    db::TransactionOptions options;
    options.retry_serialization = 2;
    std::exception_ptr error;
    try {
        if (core::mutant("outbox_cursor_before_apply")) {
            run.done = run.items.size();
            const auto early = [&run](db::UnitOfWork& unit) { return perform_writes(unit, run.take_writes()); };
            co_await deps_.source->transaction(options, early);
            run.from = run.items.back().waiting.number;
        }
        const auto body = [this, &run](db::UnitOfWork& unit) { return perform(unit, run); };
        co_await deps_.source->transaction(options, body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) {
        learn(deps_, subscription_, run);
        co_return run.handled;
    }
    co_await settle_failure(run, error);
    co_return 0;
}

db::Task<void> TransactionalProcessor::perform(db::UnitOfWork& unit, UnitRun& run) {
    run.begin();
    rejoin(subscription_, run);
    if (subscription_.plan.on_batch)
        co_await handle_whole_batch(unit, run);
    else
        co_await handle_messages(unit, run);
    co_await perform_writes(unit, run.take_writes());
}

Batch TransactionalProcessor::batch_of(const UnitRun& run) const {
    Batch batch;
    if (subscription_.plan.queues.size() == 1) batch.queue = subscription_.plan.queues.front();
    batch.subscription = subscription_.plan.name;
    batch.lane = core::LaneId(static_cast<std::uint16_t>(run.lane));
    batch.after = core::mutant("outbox_batch_after_the_cursor") ? run.from : run.handled_before;
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
            const bool tried = item.attempts > 0;
            const Message again = tried ? with_attempts(item) : Message();
            const Message& message = tried ? again : item.message();
            const std::optional<Complaint> complaint = co_await ask_handler(unit, message);
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
    if (complaint) co_return judge_in_lane(deps_, subscription_, run, item, *complaint);
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

/// What the handler complains of; its exceptions are thrown.
db::Task<std::optional<Complaint>> TransactionalProcessor::ask_handler(db::UnitOfWork& unit, const Message& message) {
    const core::SteadyTime begun = deps_.now();
    Outcome outcome = Outcome::ok();
    if (subscription_.plan.on_batch) {
        const Batch batch = batch_of_one(message);
        co_await subscription_.plan.on_batch(unit, batch);
    } else {
        outcome = co_await subscription_.plan.on_message(unit, message);
    }
    subscription_.metrics.handler.observe(std::chrono::duration<double>(deps_.now() - begun).count());
    if (outcome.kind() == Outcome::Kind::ok) co_return std::nullopt;
    co_return complaint_of(outcome);
}

/// Throws Undone after a complaint, so that the savepoint around it is rolled back.
db::Task<void> TransactionalProcessor::try_message(db::UnitOfWork& unit, const Message& message,
                                                   std::optional<Complaint>& complaint) {
    complaint = co_await ask_handler(unit, message);
    if (complaint) throw Undone();
}

db::Task<void> TransactionalProcessor::settle_failure(UnitRun& run, std::exception_ptr error) {
    const Fault fault = fault_of_error(error);
    if (fault == Fault::cancelled) std::rethrow_exception(error);
    if (fault == Fault::cursor || fault == Fault::unknown) {
        deps_.log.warn("{}: {}; looking where the cursor stands", subscription_.lane_name(run.lane),
                       core::describe(error));
        // Until that is known the fence answers every try.
        co_await look_again(deps_, subscription_, run.lane);
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
    const Complaint complaint = run.culprit ? run.culprit->second : complaint_of(error);
    co_await record_alone(run, complaint);
}

/// The one message of a unit that was rolled back failed: what becomes of it is written without the handler.
db::Task<void> TransactionalProcessor::record_alone(UnitRun& run, Complaint complaint) {
    const auto body = [this, &run, &complaint](db::UnitOfWork& unit) {
        run.begin();
        if (judge_in_lane(deps_, subscription_, run, run.items.front(), complaint)) run.done = 1;
        return perform_writes(unit, run.take_writes());
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
        learn(deps_, subscription_, run);
        co_return;
    }
    if (fault_of_error(error) == Fault::cancelled) std::rethrow_exception(error);
    deps_.log.warn("{}: the failure of a message could not be recorded: {}", subscription_.lane_name(run.lane),
                   core::describe(error));
    if (fault_of_error(error) != Fault::database) co_await look_again(deps_, subscription_, run.lane);
    fsm(run).disturbed(deps_.now(), deps_.random.unit());
}

db::Task<std::uint64_t> TransactionalProcessor::run_parked(std::size_t lane, std::string group) {
    UnitRun run = prepare_run(subscription_, lane, 0);
    run.apart = true;
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
    learn_apart(subscription_, run, group);
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
        if (run.stops_at_held(row, item)) break;
        const Message message = with_attempts(item);
        const std::optional<Complaint> complaint = co_await try_in_savepoint(unit, message);
        if (!complaint) {
            run.finish(item, dialect());
        } else if (!judge_apart(deps_, subscription_, run, item, *complaint)) {
            break;
        }
    }
    co_await perform_writes(unit, run.take_writes());
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
        judge_apart(deps_, subscription_, run, item, complaint);
    }
    co_await perform_writes(unit, run.take_writes());
}

}  // namespace

std::unique_ptr<Processor> make_transactional_processor(DeliveryDeps& deps, Subscription& subscription) {
    return std::make_unique<TransactionalProcessor>(deps, subscription);
}

}  // namespace sluice::outbox
