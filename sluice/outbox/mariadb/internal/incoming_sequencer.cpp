#include "sluice/outbox/mariadb/internal/incoming_sequencer.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "sluice/core/mutant.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/last_statements.hpp"
#include "sluice/outbox/mariadb/internal/incoming.hpp"

namespace sluice::outbox::mariadb {
namespace {

constexpr std::int64_t kFewestRows = 64;
constexpr std::int64_t kMostRows = 4'096;

/// Of messages that nobody declared a queue for: their letters have all of them, and no tick will remove them.
std::vector<std::int64_t> undeclared(const NewRows& rows, const Tick& tick) {
    std::vector<std::int64_t> numbered;
    for (const LaneRun& run : tick.runs)
        numbered.insert(numbered.end(), run.ids.begin(), run.ids.end());
    std::ranges::sort(numbered);
    std::vector<std::int64_t> others;
    std::ranges::set_difference(rows.ids, numbered, std::back_inserter(others));
    return others;
}

}  // namespace

IncomingSequencer::IncomingSequencer(SequencingContext context)
    : ServerSequencing(std::move(context), core::mutant("outbox_page_sees_later_commits")
                                               ? db::Isolation::read_committed
                                               : db::Isolation::repeatable_read) {}

db::Task<void> IncomingSequencer::start() {
    const auto body = [this](db::UnitOfWork& unit) { return enter(unit); };
    co_await context_.source->transaction(options(), body);
}

db::Task<void> IncomingSequencer::enter(db::UnitOfWork& unit) {
    std::vector<db::Statement> select;
    select.push_back(select_settings());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    const std::string fault = settings_fault(results[0].rows.at(0));
    if (!fault.empty()) throw Error(ErrorKind::config, source_, fault);
    co_await load(unit);
}

db::Task<void> IncomingSequencer::number(db::UnitOfWork& unit, Attempt& attempt) {
    const auto most = static_cast<std::int64_t>(context_.settings.tick_messages);
    const std::int64_t limit = std::min(kFewestRows, most + 1);
    std::vector<db::Statement> read;
    read.push_back(select_newest());
    read.push_back(core::mutant("outbox_ticks_by_id")
                       ? select_behind(ledger_.highest_id(), limit)
                       : select_incoming(std::numeric_limits<std::int64_t>::min(), limit));
    const std::vector<db::Result> results = co_await unit.run(std::move(read));
    const db::Row& head = results[0].rows.at(0);
    if (const std::int64_t newest = head.get<std::int64_t>(0); newest != ledger_.newest()) {
        co_await catch_up(unit, newest, attempt);
        co_return;
    }
    NewRows rows;
    take_incoming(results[1], context_.settings.tick_bytes, rows);
    if (static_cast<std::int64_t>(results[1].size()) == limit) co_await take_others(unit, rows);
    if (rows.ids.empty()) co_return;
    TickDiff diff;
    diff.identity = head.get<std::string>(1);
    co_await plan(unit, rows, std::move(diff), attempt);
    auto& last = unit.attachment<LastStatements>();
    if (!core::mutant("outbox_incoming_stays")) last.add(delete_incoming(rows.ids));
    std::vector<std::int64_t> buried = undeclared(rows, attempt.ours->tick);
    if (!buried.empty()) last.add(delete_messages(std::move(buried)));
}

/// The rest of this tick: whole in pages that grow as long as messages prove small, as far as memory goes, then by what
/// numbering needs.
db::Task<void> IncomingSequencer::take_others(db::UnitOfWork& unit, NewRows& rows) {
    const std::size_t most = context_.settings.tick_messages;
    const std::size_t bytes = context_.settings.tick_bytes;
    std::int64_t page = kFewestRows;
    bool full = true;
    while (full && rows.ids.size() <= most) {
        const auto room = static_cast<std::int64_t>(most + 1 - rows.ids.size());
        const bool whole = rows.payload_bytes < bytes;
        if (rows.payload_bytes * 4 < bytes) page = std::min(kMostRows, page * 2);
        const std::int64_t limit = whole ? std::min(page, room) : room;
        const std::int64_t after = rows.ids.back();
        std::vector<db::Statement> select;
        select.push_back(whole ? select_incoming(after, limit) : select_incoming_references(after, limit));
        const std::vector<db::Result> found = co_await unit.run(std::move(select));
        if (whole)
            take_incoming(found[0], bytes, rows);
        else
            take_references(found[0], rows);
        full = static_cast<std::int64_t>(found[0].size()) == limit;
    }
    rows.more = rows.ids.size() > most;
    rows.ids.resize(std::min(rows.ids.size(), most));
    rows.queues.resize(rows.ids.size());
    rows.keys.resize(rows.ids.size());
    rows.contents.resize(std::min(rows.contents.size(), rows.ids.size()));
}

std::unique_ptr<Sequencing> make_incoming_sequencing(const SequencingContext& context) {
    if (context.source->dialect() != db::Dialect::mariadb) return nullptr;
    return std::make_unique<IncomingSequencer>(context);
}

}  // namespace sluice::outbox::mariadb
