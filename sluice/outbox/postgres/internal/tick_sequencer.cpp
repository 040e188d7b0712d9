#include "sluice/outbox/postgres/internal/tick_sequencer.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/postgres/internal/rebaseline.hpp"

namespace sluice::outbox::postgres {
namespace {

/// Of a cut diff, in memory at once: 16 bytes each, and about 200 while they are read.
constexpr std::int64_t kReferences = 100'000;

}  // namespace

TickSequencer::TickSequencer(SequencingContext context)
    : ServerSequencing(std::move(context), db::Isolation::repeatable_read) {}

db::Task<void> TickSequencer::start() {
    const auto body = [this](db::UnitOfWork& unit) { return load_all(unit); };
    co_await context_.source->transaction(options(), body);
    if (!strange_) co_return;
    context_.log.warn("the log was written on another server: its rows get transaction ids of this one");
    const core::SystemTime now = context_.shard.clock().system_now();
    const auto anew = [this, now](db::UnitOfWork& unit) { return rebaseline(unit, ledger_, queue_names_, now); };
    db::TransactionOptions settled;
    settled.isolation = db::Isolation::read_committed;
    co_await context_.source->transaction(settled, anew);
    co_await context_.source->transaction(options(), body);
}

void TickSequencer::forget_ahead() {
    cut_.clear();
}

db::Task<void> TickSequencer::load_all(db::UnitOfWork& unit) {
    diff_ = Diff();
    std::vector<db::Statement> select;
    select.push_back(select_facts());
    select.push_back(select_base());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    if (!results[1].empty()) diff_.base = parsed(results[1].rows[0].get<std::string>(0), "the newest row");
    co_await load(unit);
    strange_ = !same_lineage(read_facts(results[0].rows.at(0)));
}

void TickSequencer::learn_more(const Tick& tick) {
    Snapshot snapshot = parsed(tick.diff->snapshot, fmt::format("row {}", tick.n));
    if (!tick.diff->cut) {
        diff_ = {std::move(snapshot), std::nullopt, 0};
        return;
    }
    diff_.target = std::move(snapshot);
    diff_.after = *tick.diff->cut;
}

db::Task<void> TickSequencer::number(db::UnitOfWork& unit, Attempt& attempt) {
    const auto most = static_cast<std::int64_t>(context_.settings.tick_messages);
    const auto bytes = static_cast<std::int64_t>(context_.settings.tick_bytes);
    std::vector<db::Statement> read;
    read.push_back(plan_by_key());
    read.push_back(select_newest());
    read.push_back(select_facts());
    if (!diff_.target) read.push_back(select_rows(diff_to_read(), most + 1, bytes));
    const std::vector<db::Result> results = co_await unit.run(std::move(read));
    const std::int64_t newest = results[1].rows.at(0).get<std::int64_t>(0);
    if (newest != ledger_.newest()) {
        co_await catch_up(unit, newest, attempt);
        co_return;
    }
    const Facts facts = read_facts(results[2].rows.at(0));
    if (!same_lineage(facts)) {
        throw Error(ErrorKind::corrupt, source_,
                    "its transaction ids began anew: another server answers, or it was restored. Restart this process");
    }
    NewRows rows;
    if (diff_.target) {
        rows = co_await rest_of_cut(unit);
    } else {
        rows = read_rows(results[3], context_.settings.tick_messages);
    }
    if (rows.ids.empty()) co_return;
    TickDiff diff = diff_of(rows, facts);
    co_await plan(unit, rows, std::move(diff), attempt);
}

/// What the next tick reads. A reader of `id > last` finds the same while nobody commits late, and loses whatever does.
Diff TickSequencer::diff_to_read() const {
    if (!core::mutant("outbox_ticks_by_id")) return diff_;
    return {Snapshot{}, std::nullopt, ledger_.highest_id()};
}

/// References are read once and kept: a read per tick would cost the square of the backlog.
db::Task<NewRows> TickSequencer::rest_of_cut(db::UnitOfWork& unit) {
    if (cut_.empty()) {
        std::vector<db::Statement> select;
        select.push_back(select_references(diff_, kReferences));
        const std::vector<db::Result> found = co_await unit.run(std::move(select));
        const std::vector<RowRef> references = read_references(found[0]);
        cut_.assign(references.begin(), references.end());
        cut_whole_ = static_cast<std::int64_t>(references.size()) < kReferences;
    }
    const std::size_t count = std::min<std::size_t>(cut_.size(), context_.settings.tick_messages);
    if (count == 0) {  // whatever was left has been deleted by hand: the diff ends here
        diff_ = {*diff_.target, std::nullopt, 0};
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

TickDiff TickSequencer::diff_of(const NewRows& rows, const Facts& facts) const {
    TickDiff diff{facts.snapshot, std::nullopt, facts.identity, facts.last_value};
    if (diff_.target) diff.snapshot = diff_.target->text();
    if (rows.more && !core::mutant("outbox_cut_forgets_the_rest")) diff.cut = rows.ids.back();
    return diff;
}

void TickSequencer::made(const Tick& tick, bool more) {
    if (more && !cut_.empty()) {
        cut_.erase(cut_.begin(), std::ranges::upper_bound(cut_, *tick.diff->cut, {}, &RowRef::id));
    } else {
        cut_.clear();
    }
}

/// Transaction ids of another server say nothing about this one's.
bool TickSequencer::same_lineage(const Facts& facts) const {
    if (ledger_.newest() == 0) return true;
    const Snapshot now = parsed(facts.snapshot, "pg_current_snapshot()");
    const Snapshot& seen = diff_.target ? *diff_.target : diff_.base;
    return server_of(facts.identity) == server_of(identity_) && seen.xmax <= now.xmax;
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
