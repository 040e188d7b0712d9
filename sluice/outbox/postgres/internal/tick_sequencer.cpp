#include "sluice/outbox/postgres/internal/tick_sequencer.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/db/error.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/last_statements.hpp"
#include "sluice/outbox/internal/log_reader.hpp"
#include "sluice/outbox/internal/tick_row.hpp"
#include "sluice/outbox/postgres/internal/rebaseline.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::outbox::postgres {
namespace {

constexpr std::int64_t kTickPage = 256;
/// Of a cut diff, in memory at once: 16 bytes each, and about 200 while they are read.
constexpr std::int64_t kReferences = 100'000;

db::TransactionOptions one_snapshot() {
    db::TransactionOptions options;
    options.isolation = db::Isolation::repeatable_read;
    return options;
}

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

TickSequencer::TickSequencer(SequencingContext context)
    : context_(std::move(context)), source_(context_.source->name()) {
    const core::Labels labels{{"source", source_}};
    core::Metrics& all = context_.metrics;
    metrics_.ticks = all.counter("sluice_outbox_ticks_total", "Ticks made", labels);
    metrics_.messages = all.counter("sluice_outbox_sequenced_total", "Messages numbered", labels);
    metrics_.fenced =
        all.counter("sluice_outbox_ticks_fenced_total", "Ticks that another process was quicker with", labels);
    metrics_.failures =
        all.counter("sluice_outbox_tick_failures_total", "Ticks that failed and are tried again", labels);
    metrics_.tick_messages = all.histogram("sluice_outbox_tick_messages", "Messages per tick", labels,
                                           {1, 3, 10, 30, 100, 300, 1'000, 10'000});
}

db::Task<void> TickSequencer::start() {
    const auto body = [this](db::UnitOfWork& unit) { return load(unit); };
    co_await context_.source->transaction(one_snapshot(), body);
    if (!strange_) co_return;
    context_.log.warn("the log was written on another server: its rows get transaction ids of this one");
    const core::SystemTime now = context_.shard.clock().system_now();
    const auto anew = [this, now](db::UnitOfWork& unit) {
        return rebaseline(unit, memory_.ledger, memory_.queue_names, now);
    };
    db::TransactionOptions options;
    options.isolation = db::Isolation::read_committed;
    co_await context_.source->transaction(options, anew);
    co_await context_.source->transaction(one_snapshot(), body);
}

db::Task<void> TickSequencer::stop() {
    co_return;
}

db::Task<std::uint64_t> TickSequencer::tick() {
    Attempt attempt;
    const auto body = [this, &attempt](db::UnitOfWork& unit) { return number(unit, attempt); };
    std::exception_ptr error;
    try {
        co_await context_.source->transaction(one_snapshot(), body);
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) co_return conclude(std::move(attempt));
    cut_.clear();
    if (!attempt.foreign.empty()) context_.accept(std::move(attempt.foreign));  // they are durable all the same
    if (!is_fenced(error)) {
        if (!runtime::is_cancellation(error)) metrics_.failures.add();
        std::rethrow_exception(error);
    }
    metrics_.fenced.add();
    co_return 1;  // the next one reads what the other has written
}

db::Task<void> TickSequencer::load(db::UnitOfWork& unit) {
    memory_ = Memory();
    cut_.clear();
    co_await load_queues(unit);
    std::vector<db::Statement> select;
    select.push_back(select_checkpoint());
    select.push_back(select_facts());
    select.push_back(select_base());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    if (!results[2].empty()) memory_.diff.base = parsed(results[2].rows[0].get<std::string>(0), "the newest row");
    if (!results[0].empty()) {
        Attempt ignored;  // whoever starts reads the ledger itself
        co_await read_ticks(unit, results[0].rows[0].get<std::int64_t>(0), ignored);
    }
    strange_ = !same_lineage(read_facts(results[1].rows.at(0)));
}

db::Task<void> TickSequencer::load_queues(db::UnitOfWork& unit) {
    const db::Result queues = co_await unit.query("select number, lanes, name from sluice_queue");
    for (const db::Row& row : queues) {
        const auto number = static_cast<std::int32_t>(row.get<std::int64_t>(0));
        if (memory_.ledger.declared(number)) continue;
        memory_.ledger.declare(number, static_cast<std::uint16_t>(row.get<std::int64_t>(1)));
        memory_.queue_names.emplace(number, row.get<std::string>(2));
    }
}

/// What this process remembers of the newest row is a guess: another process, or a commit whose outcome was unknown,
/// may have added some.
db::Task<void> TickSequencer::catch_up(db::UnitOfWork& unit, std::int64_t newest, Attempt& attempt) {
    const std::int64_t known = memory_.ledger.newest();
    if (newest < known) {
        throw Error(
            ErrorKind::corrupt, source_,
            fmt::format("sluice_tick ends at {} where {} was durable: the server lost its newest transactions, or"
                        " was restored. Restart this process",
                        newest, known));
    }
    cut_.clear();
    co_await read_ticks(unit, known + 1, attempt);
}

db::Task<void> TickSequencer::read_ticks(db::UnitOfWork& unit, std::int64_t from, Attempt& attempt) {
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

/// A durable tick moves the memory on.
void TickSequencer::learn(const Tick& tick) {
    if (const auto applied = memory_.ledger.apply(tick); !applied)
        throw Error(ErrorKind::corrupt, source_, applied.error());
    if (!tick.diff) throw Error(ErrorKind::corrupt, source_, fmt::format("row {} has no snapshot", tick.n));
    Snapshot snapshot = parsed(tick.diff->snapshot, fmt::format("row {}", tick.n));
    memory_.identity = tick.diff->identity;
    Diff& diff = memory_.diff;
    if (!tick.diff->cut) {
        diff = {std::move(snapshot), std::nullopt, 0};
        return;
    }
    diff.target = std::move(snapshot);
    diff.after = *tick.diff->cut;
}

db::Task<void> TickSequencer::number(db::UnitOfWork& unit, Attempt& attempt) {
    const auto most = static_cast<std::int64_t>(context_.settings.tick_messages);
    const auto bytes = static_cast<std::int64_t>(context_.settings.tick_bytes);
    std::vector<db::Statement> read;
    read.push_back(plan_by_key());
    read.push_back(select_newest());
    read.push_back(select_facts());
    if (!memory_.diff.target) read.push_back(select_rows(diff_to_read(), most + 1, bytes));
    const std::vector<db::Result> results = co_await unit.run(std::move(read));
    const std::int64_t newest = results[1].rows.at(0).get<std::int64_t>(0);
    if (newest != memory_.ledger.newest()) {
        co_await catch_up(unit, newest, attempt);
        co_return;
    }
    const Facts facts = read_facts(results[2].rows.at(0));
    if (!same_lineage(facts)) {
        throw Error(ErrorKind::corrupt, source_,
                    "its transaction ids began anew: another server answers, or it was restored. Restart this process");
    }
    NewRows rows;
    if (memory_.diff.target) {
        rows = co_await rest_of_cut(unit);
    } else {
        rows = read_rows(results[3], context_.settings.tick_messages);
    }
    if (!rows.ids.empty()) co_await plan(unit, rows, facts, attempt);
}

/// What the next tick reads. A reader of `id > last` finds the same while nobody commits late, and loses whatever does.
Diff TickSequencer::diff_to_read() const {
    if (!core::mutant("outbox_ticks_by_id")) return memory_.diff;
    return {Snapshot{}, std::nullopt, memory_.ledger.highest_id()};
}

/// References are read once and kept: a read per tick would cost the square of the backlog.
db::Task<NewRows> TickSequencer::rest_of_cut(db::UnitOfWork& unit) {
    if (cut_.empty()) {
        std::vector<db::Statement> select;
        select.push_back(select_references(memory_.diff, kReferences));
        const std::vector<db::Result> found = co_await unit.run(std::move(select));
        const std::vector<RowRef> references = read_references(found[0]);
        cut_.assign(references.begin(), references.end());
        cut_whole_ = static_cast<std::int64_t>(references.size()) < kReferences;
    }
    const std::size_t count = std::min<std::size_t>(cut_.size(), context_.settings.tick_messages);
    if (count == 0) {  // whatever was left has been deleted by hand: the diff ends here
        memory_.diff = {*memory_.diff.target, std::nullopt, 0};
        co_return NewRows();
    }
    const std::vector<RowRef> references(cut_.begin(), cut_.begin() + static_cast<std::ptrdiff_t>(count));
    std::vector<db::Statement> select;
    select.push_back(select_referenced(references, static_cast<std::int64_t>(context_.settings.tick_bytes)));
    const std::vector<db::Result> found = co_await unit.run(std::move(select));
    NewRows rows = read_rows(found[0], count);
    if (rows.ids.size() != count) {
        throw Error(
            ErrorKind::corrupt, source_,
            fmt::format("{} of {} messages vanished before they were numbered", count - rows.ids.size(), count));
    }
    rows.more = cut_.size() > count || !cut_whole_;
    co_return rows;
}

db::Task<void> TickSequencer::plan(db::UnitOfWork& unit, NewRows& rows, const Facts& facts, Attempt& attempt) {
    if (!all_declared(rows, memory_.ledger)) co_await load_queues(unit);
    const core::SystemTime now = context_.shard.clock().system_now();
    // A copy: if this tick is fenced, the other's epoch stands, which may be lower.
    std::optional<Ledger> raised;
    if (memory_.ledger.newest() > 0 && memory_.identity != facts.identity) raised = memory_.ledger;
    if (raised) raised->raise_epoch(now);
    const Ledger& ledger = raised ? *raised : memory_.ledger;
    std::vector<db::Statement> statements = bury_undeclared(rows, ledger);
    attempt.more = rows.more;
    TickDiff diff{facts.snapshot, std::nullopt, facts.identity, facts.last_value};
    if (memory_.diff.target) diff.snapshot = memory_.diff.target->text();
    if (rows.more && !core::mutant("outbox_cut_forgets_the_rest")) diff.cut = rows.ids.back();
    attempt.ours = number_rows(rows, ledger, memory_.queue_names, now);
    attempt.ours->tick.diff = std::move(diff);
    auto& last = unit.attachment<LastStatements>();
    last.add(insert_tick(attempt.ours->tick));
    for (db::Statement& statement : statements)
        last.add(std::move(statement));
}

/// After the commit: what was found or made is durable.
std::uint64_t TickSequencer::conclude(Attempt attempt) {
    std::uint64_t messages = attempt.foreign.size();
    if (attempt.ours) {
        Tick& tick = attempt.ours->tick;
        const auto count = static_cast<std::uint64_t>(tick.count());
        learn(tick);
        messages += std::max<std::uint64_t>(count, 1);
        if (attempt.more && !cut_.empty()) {
            cut_.erase(cut_.begin(), std::ranges::upper_bound(cut_, *tick.diff->cut, {}, &RowRef::id));
        } else {
            cut_.clear();
        }
        metrics_.ticks.add();
        metrics_.messages.add(static_cast<double>(count));
        metrics_.tick_messages.observe(static_cast<double>(count));
        attempt.foreign.push_back(std::move(*attempt.ours));
    }
    if (!attempt.foreign.empty()) context_.accept(std::move(attempt.foreign));
    return messages;
}

/// Transaction ids of another server say nothing about this one's.
bool TickSequencer::same_lineage(const Facts& facts) const {
    if (memory_.ledger.newest() == 0) return true;
    const Snapshot now = parsed(facts.snapshot, "pg_current_snapshot()");
    const Snapshot& seen = memory_.diff.target ? *memory_.diff.target : memory_.diff.base;
    return server_of(facts.identity) == server_of(memory_.identity) && seen.xmax <= now.xmax;
}

Snapshot TickSequencer::parsed(const std::string& snapshot, std::string_view where) const {
    auto read = Snapshot::parse(snapshot);
    if (!read) throw Error(ErrorKind::corrupt, source_, fmt::format("{}: '{}' is no snapshot", where, snapshot));
    return std::move(*read);
}

std::unique_ptr<Sequencing> make_tick_sequencing(const SequencingContext& context) {
    if (context.source->dialect() != db::Dialect::postgres) return nullptr;
    return std::make_unique<TickSequencer>(context);
}

}  // namespace sluice::outbox::postgres
