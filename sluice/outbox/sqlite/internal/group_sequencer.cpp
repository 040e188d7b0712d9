#include "sluice/outbox/sqlite/internal/group_sequencer.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/tick_row.hpp"

namespace sluice::outbox::sqlite {
namespace {

using db::sqlite::WriterSession;

/// Rows that are read with their payload at once: a bound on what is in memory beyond `tick_bytes`.
constexpr std::int64_t kPage = 64;
constexpr std::int64_t kTickPage = 256;

std::string content_query() {
    return fmt::format("select id, {} from sluice_message where id > $1 order by id limit $2", sql::kContent);
}

}  // namespace

GroupSequencer::GroupSequencer(SequencerSettings settings, const core::Clock& clock, core::Logger log,
                               SequencerMetrics metrics, Deliver deliver, std::function<void()> again)
    : settings_(std::move(settings)),
      clock_(clock),
      log_(std::move(log)),
      metrics_(metrics),
      deliver_(std::move(deliver)),
      again_(std::move(again)) {}

bool GroupSequencer::before_commit(WriterSession& session) {
    ours_ = false;
    more_ = false;
    try {
        return number(session);
    } catch (const std::exception& error) {
        note_failure(error.what());
    }
    if (ours_) {
        undelivered_.pop_back();
        ours_ = false;
    }
    return false;
}

void GroupSequencer::after_commit() noexcept {
    if (ours_) {
        const Tick& tick = undelivered_.back().tick;
        const auto applied = memory_.ledger.apply(tick);
        SLUICE_ASSERT(applied.has_value(), "{}: {}", settings_.source, applied.error());
        metrics_.ticks.add();
        metrics_.messages.add(static_cast<double>(tick.count()));
        metrics_.tick_messages.observe(static_cast<double>(tick.count()));
        last_failure_.clear();
    }
    ours_ = false;
    if (!undelivered_.empty()) deliver_(std::exchange(undelivered_, {}));
    if (more_) again_();
}

void GroupSequencer::after_rollback() noexcept {
    if (ours_) undelivered_.pop_back();
    ours_ = false;
    // Ticks of other processes stand whatever becomes of this group.
    if (!undelivered_.empty()) deliver_(std::exchange(undelivered_, {}));
}

bool GroupSequencer::number(WriterSession& session) {
    catch_up(session);
    NewRows rows = read_rows(session);
    if (rows.ids.empty()) return false;
    if (!all_declared(rows, memory_.ledger)) load_queues(session);
    Numbered numbered = number_rows(rows, memory_.ledger, memory_.queue_names, clock_.system_now());
    store(session, rows, numbered.tick);
    if (core::mutant("outbox_handover_before_commit")) deliver_({numbered});
    more_ = rows.more;
    seen_highest_id_ = numbered.tick.highest_id;
    undelivered_.push_back(std::move(numbered));
    ours_ = true;
    return true;
}

/// What this process remembers of the newest row is a guess: another process, or a commit whose outcome was unknown,
/// may have added some.
void GroupSequencer::catch_up(WriterSession& session) {
    if (!loaded_) {
        reload(session);
        return;
    }
    const db::Result newest = session.run(db::statement("select n from sluice_tick order by n desc limit 1"));
    const std::int64_t n = newest.empty() ? 0 : newest.rows[0].get<std::int64_t>(0);
    const std::int64_t known = memory_.ledger.newest();
    if (n < known) {
        throw Error(
            ErrorKind::corrupt, settings_.source,
            fmt::format("sluice_tick ends at {} where {} was durable: was the file replaced? Restart", n, known));
    }
    while (memory_.ledger.newest() < n)
        take_ticks(session.run(select_ticks(memory_.ledger.newest() + 1, kTickPage)));
}

void GroupSequencer::reload(WriterSession& session) {
    memory_ = Memory();
    load_queues(session);
    const db::Result start = session.run(select_checkpoint());
    if (!start.empty()) {
        std::int64_t next = start.rows[0].get<std::int64_t>(0);
        for (;;) {
            const db::Result rows = session.run(select_ticks(next, kTickPage));
            if (rows.empty()) break;
            take_ticks(rows);
            next = memory_.ledger.newest() + 1;
        }
    }
    undelivered_.clear();  // whoever starts reads the ledger itself
    loaded_ = true;
}

void GroupSequencer::take_ticks(const db::Result& rows) {
    if (rows.empty()) throw Error(ErrorKind::corrupt, settings_.source, "sluice_tick has a gap");
    for (const db::Row& row : rows) {
        Tick tick = read_tick(row, settings_.source);
        if (const auto applied = memory_.ledger.apply(tick); !applied)
            throw Error(ErrorKind::corrupt, settings_.source, applied.error());
        undelivered_.push_back({std::move(tick), {}});
    }
}

void GroupSequencer::load_queues(WriterSession& session) {
    for (const db::Row& row : session.run(db::statement("select number, lanes, name from sluice_queue"))) {
        const auto number = static_cast<std::int32_t>(row.get<std::int64_t>(0));
        if (memory_.ledger.declared(number)) continue;
        memory_.ledger.declare(number, static_cast<std::uint16_t>(row.get<std::int64_t>(1)));
        memory_.queue_names.emplace(number, row.get<std::string>(2));
    }
}

NewRows GroupSequencer::read_rows(WriterSession& session) const {
    NewRows rows;
    std::int64_t after = memory_.ledger.highest_id();
    if (core::mutant("outbox_naive_id_poll")) after = std::max(after, seen_highest_id_);
    std::size_t bytes = 0;
    while (rows.ids.size() < settings_.tick_messages) {
        if (bytes >= settings_.tick_bytes) {
            read_references(session, rows);
            break;
        }
        const std::int64_t room = static_cast<std::int64_t>(settings_.tick_messages - rows.ids.size());
        const std::int64_t limit = std::min(kPage, room);
        const db::Result page = session.run(db::statement(content_query(), after, limit));
        for (const db::Row& row : page) {
            Content content = read_content(row, 0);
            after = content.message.id.value();
            bytes += content.message.payload.size();
            rows.ids.push_back(after);
            rows.queues.push_back(content.queue);
            rows.keys.push_back(content.message.key);
            rows.contents.push_back(std::move(content.message));
        }
        if (static_cast<std::int64_t>(page.size()) < limit) break;
    }
    rows.more = rows.ids.size() >= settings_.tick_messages;
    return rows;
}

void GroupSequencer::read_references(WriterSession& session, NewRows& rows) const {
    const std::int64_t room = static_cast<std::int64_t>(settings_.tick_messages - rows.ids.size());
    const db::Result found = session.run(db::statement(
        "select id, queue, key from sluice_message where id > $1 order by id limit $2", rows.ids.back(), room));
    for (const db::Row& row : found) {
        rows.ids.push_back(row.get<std::int64_t>(0));
        rows.queues.push_back(queue_number(row.at(1)));
        rows.keys.push_back(as_string(row.at(2)));
    }
}

void GroupSequencer::store(WriterSession& session, const NewRows& rows, const Tick& tick) const {
    if (all_declared(rows, memory_.ledger)) {
        session.run(insert_tick(tick));
        return;
    }
    session.run(db::statement("savepoint sluice_savepoint_tick"));
    try {
        session.run(insert_tick(tick));
        for (db::Statement& bury : bury_undeclared(rows, memory_.ledger))
            session.run(std::move(bury));
    } catch (...) {
        session.run(db::statement("rollback to sluice_savepoint_tick"));
        session.run(db::statement("release sluice_savepoint_tick"));
        throw;
    }
    session.run(db::statement("release sluice_savepoint_tick"));
}

void GroupSequencer::note_failure(const char* what) noexcept {
    metrics_.failures.add();
    if (last_failure_ == what) return;  // said once, counted every time
    last_failure_ = what;
    log_.error("numbering failed, the messages wait for the next group: {}", what);
}

}  // namespace sluice::outbox::sqlite
