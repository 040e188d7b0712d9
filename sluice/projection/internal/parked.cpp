#include "sluice/projection/internal/parked.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {
namespace {

/// Parked events folded in one transaction.
constexpr std::int64_t kAtOnce = 500;

std::vector<outbox::Message> messages_of(const db::Result& rows) {
    std::vector<outbox::Message> messages;
    for (const db::Row& row : rows) {
        outbox::Message& message = messages.emplace_back();
        message.position = core::Position(row.get<std::int64_t>("position"));
        message.queue = row.get<std::string>("queue");
        message.lane = core::LaneId(static_cast<std::uint16_t>(row.get<std::int64_t>("lane")));
        message.sequence = core::Sequence(row.get<std::int64_t>("sequence"));
        message.id = core::MessageId(row.get<std::int64_t>("message_id"));
        message.ledger_epoch = core::Epoch(row.get<std::int64_t>("ledger_epoch"));
        message.key = row.get<std::string>("message_key");
        message.type = row.get<std::string>("type");
        message.payload = Store::payload_of(row);
        message.tenant = row.get<std::string>("tenant");
    }
    return messages;
}

std::vector<ParkedKey> parked_keys(const db::Result& rows) {
    std::vector<ParkedKey> keys;
    for (const db::Row& row : rows) {
        ParkedKey& key = keys.emplace_back();
        key.key = row.get<std::string>("key");
        key.position = core::Position(row.get<std::int64_t>("position"));
        key.queue = row.get<std::string>("queue");
        key.type = row.get<std::string>("type");
        key.payload = Store::payload_of(row);
        key.text = row.get<std::string>("text");
        key.attempts = row.get<std::int64_t>("attempts");
        key.waiting = row.get<std::int64_t>("waiting");
    }
    return keys;
}

/// One transaction's worth of a release.
class Release {
public:
    Release(Engine& engine, std::string key, bool skip) : engine_(engine), key_(std::move(key)), skip_(skip) {}

    ReleaseReport report;
    bool more = false;

    db::Task<void> run(db::UnitOfWork& unit) {
        const Store& store = engine_.store();
        // A batch that parks one more event of the key meanwhile would leave it behind for ever.
        co_await hold_alone(store, unit);
        const Generation generation = co_await engine_.active(unit);
        if (skip_) co_await skip_first(unit, generation.number);
        const db::Result rows =
            co_await unit.query(store.texts().parked_of_key, store.projection(), generation.number, key_, kAtOnce);
        const std::vector<outbox::Message> messages = messages_of(rows);
        report = {};
        more = false;
        if (messages.empty()) {
            if (!skip_)
                throw Error(ErrorKind::not_found, store.projection(), fmt::format("nothing of key '{}' waits", key_));
            report.released = true;
            co_return;
        }
        if (key_.empty()) {
            if (!skip_)
                throw Error(ErrorKind::bad_event, store.projection(),
                            "the keys of these events are unknown and went on without them: skip them or rebuild");
            co_return;
        }
        co_await fold_waiting(unit, generation, messages);
    }

private:
    db::Task<void> skip_first(db::UnitOfWork& unit, std::int64_t generation) {
        const Store& store = engine_.store();
        const db::Result rows =
            co_await unit.query(store.texts().parked_of_key, store.projection(), generation, key_, 1);
        if (rows.empty())
            throw Error(ErrorKind::not_found, store.projection(), fmt::format("nothing of key '{}' waits", key_));
        co_await unit.execute(store.texts().mark_skipped, store.projection(), generation, key_,
                              rows.rows.front().get<std::int64_t>("position"));
    }

    db::Task<void> fold_waiting(db::UnitOfWork& unit, const Generation& generation,
                                const std::vector<outbox::Message>& messages) {
        const Store& store = engine_.store();
        KeyStates states;
        std::vector<std::string> wanted;
        wanted.push_back(key_);
        std::vector<db::Statement> load;
        load.push_back(store.load(generation.number, wanted));
        const std::vector<db::Result> loaded = co_await unit.run(std::move(load));
        Store::fill(loaded.front(), states);
        const std::vector<FoldEvent> events = only_this_key(messages);
        // A copy that waits is in no state, however far the generation's base reaches.
        Generation without_base = generation;
        without_base.base = core::Position();
        FoldResult result = engine_.fold_for(without_base, events, states);
        Writes writes;
        store.write_states(generation.number, result.keys, writes);
        constexpr StreamPosition kDirect{kDirectStream, 0};
        co_await engine_.plan_deltas(unit, generation.number, kDirect, result.keys, writes);
        plan_rows(generation.number, messages, result, writes);
        report.folded = result.folded;
        more = result.parked.empty() && messages.size() == static_cast<std::size_t>(kAtOnce);
        report.released = result.parked.empty() && !more;
        co_await run_writes(unit, store.projection(), std::move(writes));
        engine_.announce_after_commit(unit, generation, result);
    }

    /// The other keys of these events have folded them long ago.
    std::vector<FoldEvent> only_this_key(const std::vector<outbox::Message>& messages) const {
        std::vector<FoldEvent> events = intake(engine_.definition(), engine_.declared().rules, messages);
        for (FoldEvent& event : events) {
            const bool concerns = std::ranges::find(event.keys, key_) != event.keys.end();
            event.keys.clear();
            if (concerns || event.event == nullptr) event.keys.push_back(key_);
        }
        return events;
    }

    void plan_rows(std::int64_t generation, const std::vector<outbox::Message>& messages, const FoldResult& result,
                   Writes& writes) {
        const Store& store = engine_.store();
        if (result.parked.empty()) {
            writes.push_back({store.statement(store.texts().unpark, generation, key_, messages.back().position.value()),
                              std::nullopt});
            return;
        }
        const ParkedEvent& failed = result.parked.front();
        const std::int64_t position = messages[failed.event].position.value();
        writes.push_back({store.statement(store.texts().unpark, generation, key_, position - 1), std::nullopt});
        writes.push_back(
            {store.statement(store.texts().mark_failed, generation, key_, position, storable(failed.text)), 1});
        report.text = failed.text;
    }

    Engine& engine_;
    std::string key_;
    bool skip_;
};

}  // namespace

db::Task<ProjectionStatus> read_status(const Engine& engine, std::int64_t limit) {
    const Store& store = engine.store();
    const std::unique_ptr<db::Connection> connection =
        co_await engine.surroundings().source->acquire(db::AccessIntent::read);
    const Generation generation = co_await engine.active(*connection);
    ProjectionStatus status;
    status.name = store.projection();
    status.generation = generation.number;
    status.epoch = generation.epoch;
    status.state_version = generation.state_version;
    status.stale = generation.state_version != engine.definition().state_version();
    status.rebuilt_events = engine.rebuilt();
    status.position = generation.base;
    status.stopped = engine.stopped();
    const db::Result lanes = co_await connection->query(store.texts().lanes, store.projection(), generation.number);
    for (const LanePosition& lane : Store::lanes(lanes))
        status.position = std::max(status.position, lane.position);
    const db::Result rows =
        co_await connection->query(store.texts().parked_status, store.projection(), generation.number, limit);
    status.parked = parked_keys(rows);
    co_return status;
}

db::Task<ReleaseReport> release(Engine& engine, std::string key, bool skip) {
    ReleaseReport total;
    bool more = true;
    while (more) {
        Release part(engine, key, skip);
        auto body = [&part](db::UnitOfWork& unit) { return part.run(unit); };
        co_await engine.surroundings().source->transaction(read_committed(), body);
        total.folded += part.report.folded;
        total.released = part.report.released;
        total.text = part.report.text;
        more = part.more;
        skip = false;
    }
    co_return total;
}

}  // namespace sluice::projection::internal
