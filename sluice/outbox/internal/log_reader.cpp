#include "sluice/outbox/internal/log_reader.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/tick_row.hpp"
#include "sluice/outbox/mariadb/internal/incoming.hpp"
#include "sluice/outbox/postgres/internal/diff_queries.hpp"

namespace sluice::outbox {
namespace {

constexpr std::int64_t kTicksAtOnce = 64;
constexpr std::size_t kMostTicks = 1'000;
/// Rows per query: few at first, more while they prove small.
constexpr std::int64_t kFewestRows = 64;
constexpr std::int64_t kMostRows = 1'024;

}  // namespace

/// A message that the ledger names, in ledger order.
struct LogReader::Reference {
    ReadPoint point;
    LaneRef lane;
    core::Sequence sequence;
    core::Position position;
    core::Epoch epoch;
};

/// Ids to be read: (after, up_to], of some queues.
struct LogReader::Range {
    std::int64_t after = 0;
    std::int64_t up_to = 0;
    std::size_t bytes = 0;
    std::string only;  ///< a condition on `queue`, or nothing
};

namespace {

std::string condition(const std::set<std::int32_t>& queues) {
    if (queues.empty()) return {};
    return fmt::format(" and queue in ({})", fmt::join(queues, ", "));
}

/// A query must not be built of more than the column list: the queue numbers are integers of ours.
std::string page_query(const std::string& only) {
    return fmt::format("select id, {} from sluice_message where id > $1 and id <= $2{} order by id limit $3",
                       sql::kContent, only);
}

db::TransactionOptions read_only() {
    db::TransactionOptions options;
    options.read_only = true;
    return options;
}

}  // namespace

LogReader::LogReader(std::shared_ptr<db::DataSource> source, std::map<std::int32_t, std::string> queue_names)
    : source_(std::move(source)), queue_names_(std::move(queue_names)) {}

std::string LogReader::queue_name(std::int32_t number) const {
    const auto found = queue_names_.find(number);
    return found == queue_names_.end() ? fmt::format("#{}", number) : found->second;
}

db::Task<LogSlice> LogReader::read(ReadPoint from, std::set<std::int32_t> queues, ReadLimits limits) {
    auto body = [this, from, &queues, limits](db::UnitOfWork& unit) { return read_in(unit, from, queues, limits); };
    co_return co_await source_->transaction(read_only(), body);
}

namespace {

/// Every message of a tick in ledger order.
template <class Visit>
void for_each_in_order(const Tick& tick, Visit visit) {
    struct Numbered {
        std::int64_t id;
        LaneRef lane;
        core::Sequence sequence;
    };
    std::vector<Numbered> all;
    all.reserve(static_cast<std::size_t>(tick.count()));
    for (const LaneRun& run : tick.runs) {
        core::Sequence sequence = run.first;
        for (const std::int64_t id : run.ids) {
            all.push_back({id, run.lane, sequence});
            sequence = sequence.next();
        }
    }
    std::ranges::sort(all, {}, &Numbered::id);
    core::Position position = tick.first_position;
    for (const Numbered& one : all) {
        visit(one.id, one.lane, one.sequence, position);
        position = position.next();
    }
}

}  // namespace

db::Task<LogSlice> LogReader::read_in(db::UnitOfWork& unit, ReadPoint from, const std::set<std::int32_t>& queues,
                                      ReadLimits limits) {
    const std::vector<Tick> ticks = co_await read_ticks(unit, from.tick, limits.messages);
    LogSlice slice;
    slice.begin = from;
    slice.end = from;
    std::vector<Reference> wanted;
    std::uint32_t looked_at = 0;
    bool first = true;
    for (const Tick& tick : ticks) {
        bool cut = false;
        for_each_in_order(tick, [&](std::int64_t id, LaneRef lane, core::Sequence sequence, core::Position position) {
            if (cut || (tick.n == from.tick && id <= from.id)) return;
            if (looked_at == limits.messages) {
                cut = true;
                return;
            }
            ++looked_at;
            if (std::exchange(first, false)) slice.after = core::Position(position.value() - 1);
            slice.up_to = position;
            slice.end = {tick.n, id};
            if (queues.empty() || queues.contains(lane.queue))
                wanted.push_back({{tick.n, id}, lane, sequence, position, tick.epoch});
        });
        if (cut) break;
        slice.end = {tick.n + 1, 0};
    }
    if (first) slice.after = slice.up_to = core::Position(ticks.empty() ? 0 : ticks.back().first_position.value() - 1);
    if (!wanted.empty() && unit.dialect() == db::Dialect::postgres) {
        co_await read_by_transaction(unit, ticks, wanted, limits.bytes, slice);
    } else if (!wanted.empty() && unit.dialect() == db::Dialect::mariadb) {
        co_await read_by_ids(unit, wanted, limits.bytes, slice);
    } else if (!wanted.empty()) {
        const auto [lowest, highest] = std::ranges::minmax(wanted, {}, [](const Reference& r) { return r.point.id; });
        Range range{lowest.point.id - 1, highest.point.id, limits.bytes, condition(queues)};
        co_await read_messages(unit, range, wanted, slice);
    }
    co_return slice;
}

db::Task<std::vector<Tick>> LogReader::read_ticks(db::UnitOfWork& unit, std::int64_t from, std::uint32_t messages) {
    std::vector<Tick> ticks;
    std::int64_t found = 0;
    while (ticks.size() < kMostTicks && found < messages) {
        std::vector<db::Statement> select;
        select.push_back(select_ticks(from, kTicksAtOnce));
        const std::vector<db::Result> results = co_await unit.run(std::move(select));
        for (const db::Row& row : results[0]) {
            ticks.push_back(read_tick(row, source_->name()));
            if (ticks.size() > 1 && ticks.back().n != ticks[ticks.size() - 2].n + 1)
                throw Error(ErrorKind::corrupt, source_->name(),
                            fmt::format("sluice_tick lacks row {}", ticks.back().n - 1));
            found += ticks.back().count();
        }
        if (static_cast<std::int64_t>(results[0].size()) < kTicksAtOnce) break;
        from = ticks.back().n + 1;
    }
    co_return ticks;
}

db::Task<void> LogReader::read_messages(db::UnitOfWork& unit, const Range& range, std::vector<Reference>& wanted,
                                        LogSlice& slice) {
    std::unordered_map<std::int64_t, std::size_t> by_id;
    by_id.reserve(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i)
        by_id.emplace(wanted[i].point.id, i);
    std::vector<std::shared_ptr<const Message>> found(wanted.size());
    std::size_t bytes = 0;
    std::int64_t after = range.after;
    std::int64_t rows = kFewestRows;
    while (after < range.up_to && bytes < range.bytes) {
        const db::Result page = co_await unit.query(page_query(range.only), after, range.up_to, rows);
        const std::size_t bytes_before = bytes;
        for (const db::Row& row : page) {
            Content content = read_content(row, 0);
            after = content.message.id.value();
            const auto reference = by_id.find(after);
            if (reference == by_id.end()) continue;
            bytes += content.message.payload.size();
            found[reference->second] = placed(std::move(content.message), wanted[reference->second]);
        }
        if (static_cast<std::int64_t>(page.size()) < rows) after = range.up_to;
        if ((bytes - bytes_before) * 4 < range.bytes) rows = std::min(kMostRows, rows * 2);
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Reference& reference = wanted[i];
        if (reference.point.id > after) {  // memory ran out: the stretch ends before this message
            end_before(reference, slice);
            co_return;
        }
        if (!found[i]) fail_missing(reference);
        slice.messages.push_back({std::move(found[i]), reference.lane.queue, reference.point.tick});
    }
}

/// Its id says nothing of where a message of a late commit stands, and there is no key by id: the snapshots of the
/// ticks bound the transactions that wrote their messages.
db::Task<void> LogReader::read_by_transaction(db::UnitOfWork& unit, const std::vector<Tick>& ticks,
                                              const std::vector<Reference>& wanted, std::size_t bytes,
                                              LogSlice& slice) {
    std::vector<db::Statement> base;
    base.push_back(postgres::plan_by_key());
    base.push_back(postgres::select_base_before(ticks.front().n));
    const std::vector<db::Result> before = co_await unit.run(std::move(base));
    std::vector<std::int64_t> ids;
    for (const Reference& reference : wanted)
        ids.push_back(reference.point.id);
    const Tick& last = *std::ranges::find(ticks, wanted.back().point.tick, &Tick::n);
    std::vector<db::Statement> select;
    select.push_back(postgres::select_log(postgres::diff_between(before[1], last), std::move(ids),
                                          static_cast<std::int64_t>(bytes)));
    const std::vector<db::Result> found = co_await unit.run(std::move(select));
    std::size_t next = 0;
    for (const Reference& reference : wanted) {
        if (next == found[0].size()) fail_missing(reference);
        const db::Row& row = found[0].rows[next++];
        if (row.get<std::int64_t>(0) != reference.point.id) fail_missing(reference);
        if (!row.get<bool>(postgres::kFitsColumn)) {  // memory ran out: the stretch ends before this message
            end_before(reference, slice);
            co_return;
        }
        Content content = read_content(row, 0);
        content.message.xid = row.get<std::int64_t>(postgres::kXidColumn);
        slice.messages.push_back(
            {placed(std::move(content.message), reference), reference.lane.queue, reference.point.tick});
    }
}

/// Late commits scatter the ids of a tick, so a range of them would hold others' messages.
db::Task<void> LogReader::read_by_ids(db::UnitOfWork& unit, const std::vector<Reference>& wanted, std::size_t bytes,
                                      LogSlice& slice) {
    std::size_t read = 0;
    std::size_t rows = kFewestRows;
    for (std::size_t first = 0; first < wanted.size();) {
        if (read >= bytes) {  // memory ran out: the stretch ends before this message
            end_before(wanted[first], slice);
            co_return;
        }
        const std::span some = std::span(wanted).subspan(first, std::min(rows, wanted.size() - first));
        std::vector<std::int64_t> ids;
        for (const Reference& reference : some)
            ids.push_back(reference.point.id);
        std::vector<db::Statement> select;
        select.push_back(mariadb::select_messages(std::move(ids)));
        const std::vector<db::Result> found = co_await unit.run(std::move(select));
        std::unordered_map<std::int64_t, Message> by_id;
        for (const db::Row& row : found[0]) {
            Content content = read_content(row, 0);
            read += content.message.payload.size();
            by_id.emplace(content.message.id.value(), std::move(content.message));
        }
        for (const Reference& reference : some) {
            const auto message = by_id.find(reference.point.id);
            if (message == by_id.end()) fail_missing(reference);
            slice.messages.push_back(
                {placed(std::move(message->second), reference), reference.lane.queue, reference.point.tick});
        }
        first += some.size();
        if (read * 4 < bytes) rows = std::min<std::size_t>(kMostRows, rows * 2);
    }
}

void LogReader::end_before(const Reference& reference, LogSlice& slice) {
    slice.end = {reference.point.tick, reference.point.id - 1};
    slice.up_to = core::Position(reference.position.value() - 1);
}

std::shared_ptr<const Message> LogReader::placed(Message message, const Reference& reference) const {
    message.queue = queue_name(reference.lane.queue);
    message.lane = reference.lane.lane;
    message.sequence = reference.sequence;
    message.position = reference.position;
    message.ledger_epoch = reference.epoch;
    return std::make_shared<const Message>(std::move(message));
}

void LogReader::fail_missing(const Reference& reference) const {
    throw Error(
        ErrorKind::corrupt, source_->name(),
        fmt::format("tick {} names message {}, which sluice_message lacks", reference.point.tick, reference.point.id));
}

db::Task<LogSlice> LogReader::read_behind(core::Position after, ReadLimits limits) {
    const auto body = [this, after, limits](db::UnitOfWork& unit) { return read_behind_in(unit, after, limits); };
    co_return co_await source_->transaction(read_only(), body);
}

db::Task<LogSlice> LogReader::read_behind_in(db::UnitOfWork& unit, core::Position after, ReadLimits limits) {
    LogSlice nothing;
    nothing.after = nothing.up_to = after;
    const db::Result ends = co_await unit.query(
        "select min(n), max(n), (select first_position from sluice_tick order by n limit 1) from sluice_tick");
    if (ends.rows[0].at(0).is_null()) co_return nothing;
    const core::Position oldest(ends.rows[0].get<std::int64_t>(2));
    if (after.next() < oldest) {
        throw Error(ErrorKind::gone, source_->name(),
                    fmt::format("position {} was removed by retention; the oldest kept is {}", after.next(), oldest));
    }
    // The newest tick that begins at or before the position: rows are dense in n, so halving finds it.
    std::int64_t low = ends.rows[0].get<std::int64_t>(0);
    std::int64_t high = ends.rows[0].get<std::int64_t>(1);
    while (low < high) {
        const std::int64_t middle = low + (high - low + 1) / 2;
        const db::Result probe = co_await unit.query("select first_position from sluice_tick where n = $1", middle);
        if (probe.empty())
            throw Error(ErrorKind::corrupt, source_->name(), fmt::format("sluice_tick lacks row {}", middle));
        if (probe.rows[0].get<std::int64_t>(0) <= after.value() + 1)
            low = middle;
        else
            high = middle - 1;
    }
    const db::Result row = co_await unit.query(std::string(select_ticks(low, 1).sql), low, 1);
    const Tick tick = read_tick(row.rows.at(0), source_->name());
    ReadPoint from{low, 0};
    for_each_in_order(tick, [&](std::int64_t id, LaneRef, core::Sequence, core::Position position) {
        if (position <= after) from.id = id;
    });
    const std::set<std::int32_t> every_queue;
    LogSlice slice = co_await read_in(unit, from, every_queue, limits);
    co_return slice;
}

db::Task<core::Position> LogReader::oldest_kept() {
    std::unique_ptr<db::Connection> connection = co_await source_->acquire(db::AccessIntent::read);
    const db::Result oldest = co_await connection->query("select first_position from sluice_tick order by n limit 1");
    co_return oldest.empty() ? core::Position(1) : core::Position(oldest.rows[0].get<std::int64_t>(0));
}

db::Task<Ledger> load_ledger(db::Session& session, std::map<std::int32_t, std::uint16_t> queues, std::string source) {
    Ledger ledger(id_order(session.dialect()));
    for (const auto& [number, lanes] : queues)
        ledger.declare(number, lanes);
    std::vector<db::Statement> select;
    select.push_back(select_checkpoint());
    std::vector<db::Result> results = co_await session.run(std::move(select));
    if (results[0].empty()) co_return ledger;
    std::int64_t next = results[0].rows[0].get<std::int64_t>(0);
    for (;;) {
        std::vector<db::Statement> more;
        more.push_back(select_ticks(next, kTicksAtOnce));
        results = co_await session.run(std::move(more));
        if (results[0].empty()) break;
        for (const db::Row& row : results[0]) {
            const Tick tick = read_tick(row, source);
            const auto applied = ledger.apply(tick);
            if (!applied) throw Error(ErrorKind::corrupt, source, applied.error());
        }
        next = ledger.newest() + 1;
    }
    co_return ledger;
}

}  // namespace sluice::outbox
