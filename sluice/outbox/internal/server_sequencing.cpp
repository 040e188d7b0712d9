#include "sluice/outbox/internal/server_sequencing.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/error.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/last_statements.hpp"
#include "sluice/outbox/internal/tick_row.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::outbox {
namespace {

constexpr std::int64_t kTickPage = 256;

/// Somebody else wrote the row that this tick was to write.
bool is_fenced(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const db::Error& e) {
        return e.kind() == db::ErrorKind::conflict || e.kind() == db::ErrorKind::serialization;
    } catch (...) {
        return false;
    }
}

}  // namespace

ServerSequencing::ServerSequencing(SequencingContext context, db::Isolation isolation)
    : context_(std::move(context)), source_(context_.source->name()), isolation_(isolation) {
    const core::Labels labels{{"source", source_}};
    core::Metrics& all = context_.metrics;
    instruments_.ticks = all.counter("sluice_outbox_ticks_total", "Ticks made", labels);
    instruments_.messages = all.counter("sluice_outbox_sequenced_total", "Messages numbered", labels);
    instruments_.fenced =
        all.counter("sluice_outbox_ticks_fenced_total", "Ticks that another process was quicker with", labels);
    instruments_.failures =
        all.counter("sluice_outbox_tick_failures_total", "Ticks that failed and are tried again", labels);
    instruments_.tick_messages = all.histogram("sluice_outbox_tick_messages", "Messages per tick", labels,
                                               {1, 3, 10, 30, 100, 300, 1'000, 10'000});
}

db::TransactionOptions ServerSequencing::options() const {
    db::TransactionOptions options;
    options.isolation = isolation_;
    return options;
}

db::Task<void> ServerSequencing::stop() {
    co_return;
}

db::Task<std::uint64_t> ServerSequencing::tick() {
    Attempt attempt;
    const auto body = [this, &attempt](db::UnitOfWork& unit) { return number(unit, attempt); };
    std::exception_ptr error;
    try {
        co_await context_.source->transaction(options(), body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) co_return conclude(std::move(attempt));
    forget_ahead();
    if (!attempt.foreign.empty()) context_.accept(std::move(attempt.foreign));  // they are durable all the same
    if (!is_fenced(error)) {
        if (!runtime::is_cancellation(error)) instruments_.failures.add();
        std::rethrow_exception(error);
    }
    instruments_.fenced.add();
    co_return 1;  // the next one reads what the other has written
}

db::Task<void> ServerSequencing::load(db::UnitOfWork& unit) {
    ledger_ = Ledger(IdOrder::any);
    queue_names_.clear();
    identity_.clear();
    forget_ahead();
    co_await load_queues(unit);
    std::vector<db::Statement> select;
    select.push_back(select_checkpoint());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    if (results[0].empty()) co_return;
    Attempt ignored;  // whoever starts reads the ledger itself
    co_await read_ticks(unit, results[0].rows[0].get<std::int64_t>(0), ignored);
}

db::Task<void> ServerSequencing::load_queues(db::UnitOfWork& unit) {
    const db::Result queues = co_await unit.query("select number, lanes, name from sluice_queue");
    for (const db::Row& row : queues) {
        const auto number = static_cast<std::int32_t>(row.get<std::int64_t>(0));
        if (ledger_.declared(number)) continue;
        ledger_.declare(number, static_cast<std::uint16_t>(row.get<std::int64_t>(1)));
        queue_names_.emplace(number, row.get<std::string>(2));
    }
}

/// Another process, or a commit whose outcome was unknown, may have added rows.
db::Task<void> ServerSequencing::catch_up(db::UnitOfWork& unit, std::int64_t newest, Attempt& attempt) {
    const std::int64_t known = ledger_.newest();
    if (newest < known) {
        throw Error(
            ErrorKind::corrupt, source_,
            fmt::format("sluice_tick ends at {} where {} was durable: the server lost its newest transactions, or"
                        " was restored. Restart this process",
                        newest, known));
    }
    forget_ahead();
    co_await read_ticks(unit, known + 1, attempt);
}

db::Task<void> ServerSequencing::read_ticks(db::UnitOfWork& unit, std::int64_t from, Attempt& attempt) {
    for (;;) {
        std::vector<db::Statement> select;
        select.push_back(select_ticks(from, kTickPage));
        const std::vector<db::Result> results = co_await unit.run(std::move(select));
        for (const db::Row& row : results[0]) {
            Tick tick = read_tick(row, source_);
            learn(tick);
            from = tick.n + 1;
            attempt.foreign.push_back({std::move(tick), {}});
        }
        if (static_cast<std::int64_t>(results[0].size()) < kTickPage) co_return;
    }
}

void ServerSequencing::learn(const Tick& tick) {
    if (const auto applied = ledger_.apply(tick); !applied) throw Error(ErrorKind::corrupt, source_, applied.error());
    if (!tick.diff)
        throw Error(ErrorKind::corrupt, source_, fmt::format("row {} does not say which server made it", tick.n));
    identity_ = tick.diff->identity;
    learn_more(tick);
}

db::Task<void> ServerSequencing::plan(db::UnitOfWork& unit, NewRows& rows, TickDiff diff, Attempt& attempt) {
    if (!all_declared(rows, ledger_)) co_await load_queues(unit);
    const core::SystemTime now = context_.shard.clock().system_now();
    // A copy: if this tick is fenced, the other's epoch stands, which may be lower.
    std::optional<Ledger> raised;
    if (ledger_.newest() > 0 && identity_ != diff.identity) raised = ledger_;
    if (raised) raised->raise_epoch(now);
    const Ledger& ledger = raised ? *raised : ledger_;
    std::vector<db::Statement> statements = bury_undeclared(rows, ledger);
    attempt.more = rows.more;
    attempt.ours = number_rows(rows, ledger, queue_names_, now);
    attempt.ours->tick.diff = std::move(diff);
    auto& last = unit.attachment<LastStatements>();
    last.add(insert_tick(attempt.ours->tick));
    for (db::Statement& statement : statements)
        last.add(std::move(statement));
}

/// After the commit: what was found or made is durable.
std::uint64_t ServerSequencing::conclude(Attempt attempt) {
    std::uint64_t messages = attempt.foreign.size();
    if (attempt.ours) {
        const Tick& tick = attempt.ours->tick;
        const auto count = static_cast<std::uint64_t>(tick.count());
        learn(tick);
        made(tick, attempt.more);
        messages += std::max<std::uint64_t>(count, 1);
        instruments_.ticks.add();
        instruments_.messages.add(static_cast<double>(count));
        instruments_.tick_messages.observe(static_cast<double>(count));
        attempt.foreign.push_back(std::move(*attempt.ours));
    }
    if (!attempt.foreign.empty()) context_.accept(std::move(attempt.foreign));
    return messages;
}

}  // namespace sluice::outbox
