#include "sluice/projection/internal/key_rebuild.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/announce.hpp"
#include "sluice/projection/key.hpp"

namespace sluice::projection::internal {
namespace {

class KeyRebuild {
public:
    KeyRebuild(Engine& engine, std::string key) : engine_(engine), key_(std::move(key)) {
        if (const std::string_view defect = key_defect(key_); !defect.empty())
            throw Error(ErrorKind::bad_event, engine_.definition().name(), fmt::format("key '{}': {}", key_, defect));
    }

    RawState answer;

    void fold_given(std::vector<EventPtr> given) {
        std::vector<FoldEvent> events;
        for (EventPtr& event : given) {
            FoldEvent& one = events.emplace_back();
            one.event = std::move(event);
            one.keys.push_back(key_);
        }
        const FoldResult result = fold_silently(events);
        if (!result.parked.empty())
            throw Error(ErrorKind::bad_event, engine_.definition().name(),
                        fmt::format("key '{}', event {} of {}: {}", key_, result.parked.front().event + 1, given.size(),
                                    result.parked.front().text));
    }

    /// Reads the log up to `up_to`; may be called again to go on.
    db::Task<void> fold_log(LogCursor& cursor, core::Position up_to) {
        while (true) {
            std::optional<std::vector<outbox::Message>> messages = co_await cursor.next(up_to);
            if (!messages) break;
            std::vector<FoldEvent> events = intake(engine_.definition(), engine_.declared().rules, *messages);
            leave_out(skipped, events);
            for (FoldEvent& event : events)
                std::erase_if(event.keys, [this](const std::string& key) { return key != key_; });
            for (const ParkedEvent& event : fold_silently(events).parked)
                parked_.emplace_back(event, (*messages)[event.event]);
        }
        reached_ = up_to;
    }

    /// In a unit that holds alone.
    db::Task<void> write(db::UnitOfWork& unit) {
        const Store& store = engine_.store();
        const Generation generation = co_await engine_.active(unit);
        const core::Epoch epoch = engine_.next_epoch(generation);
        const core::Position position = co_await last_position(unit, generation.number);
        KeyFold row = row_of(epoch, position);
        Writes writes;
        store.put_states(generation.number, std::span(&row, 1), writes);
        writes.push_back({store.statement(store.texts().give_epoch, generation.number, epoch.value()), 1});
        writes.push_back({store.statement(store.texts().drop_key_deltas, generation.number, key_), std::nullopt});
        writes.push_back({store.statement(store.texts().unpark, generation.number, key_,
                                          std::max(position, reached_.value_or(position)).value()),
                          std::nullopt});
        for (const auto& [event, message] : parked_)
            writes.push_back(store.park(generation.number, event, message));
        co_await run_writes(unit, store.projection(), std::move(writes));
        tell(unit, generation, std::move(row), epoch);
    }

    Skipped skipped;

private:
    FoldResult fold_silently(const std::vector<FoldEvent>& events) {
        FoldSettings how;
        how.deltas = false;
        how.careful = true;
        return fold(engine_.definition(), events, states_, how);
    }

    /// What the new state contains: the log as far as it was read, or folded where an event failed again; of given
    /// events, all that the key has seen or keeps waiting.
    db::Task<core::Position> last_position(db::UnitOfWork& unit, std::int64_t generation) {
        if (!parked_.empty()) co_return states_[key_].position;
        if (reached_) co_return *reached_;
        const Store& store = engine_.store();
        const db::Result rows =
            co_await unit.query(store.texts().last_position_of_key, store.projection(), generation, key_);
        co_return core::Position(rows.rows.front().get<std::int64_t>(0));
    }

    KeyFold row_of(core::Epoch epoch, core::Position position) {
        const KeyState& state = states_[key_];
        KeyFold row;
        row.key = key_;
        row.version = state.version;
        row.epoch = epoch;
        row.position = position;
        row.removed = state.removed || state.version.value() == 0;
        if (!row.removed) row.state = engine_.definition().encode_state(*state.state);
        return row;
    }

    void tell(db::UnitOfWork& unit, const Generation& generation, KeyFold row, core::Epoch epoch) {
        DeltaBatch batch = engine_.new_batch(generation.number);
        batch.changes.push_back(reset_of(engine_.definition(), key_, epoch, row.version, row.state));
        answer.key = key_;
        answer.state = batch.changes.front().state;
        answer.version = row.version;
        answer.epoch = epoch;
        answer.exists = !row.removed;
        auto told = std::make_shared<const DeltaBatch>(std::move(batch));
        unit.after_commit([engine = engine_.shared_from_this(), told = std::move(told)]() mutable {
            engine->forget();
            engine->publish(std::move(told));
        });
    }

    Engine& engine_;
    std::string key_;
    KeyStates states_;
    std::vector<std::pair<ParkedEvent, outbox::Message>> parked_;
    std::optional<core::Position> reached_;
};

db::Task<void> finish(KeyRebuild& rebuild, const Engine& engine, db::UnitOfWork& unit) {
    co_await hold_alone(engine.store(), unit);
    co_await rebuild.write(unit);
}

/// The last of the log and the write, in the unit.
db::Task<void> finish_from_log(KeyRebuild& rebuild, const Engine& engine, LogCursor& cursor, outbox::Outbox& outbox,
                               db::UnitOfWork& unit) {
    co_await hold_alone(engine.store(), unit);
    const Generation generation = co_await engine.active(unit);
    const core::Position folded = co_await folded_up_to(engine, unit, generation);
    co_await rebuild.fold_log(cursor, std::max(outbox.head(), folded));
    co_await rebuild.write(unit);
}

}  // namespace

db::Task<RawState> rebuild_key(Engine& engine, std::string key, std::vector<EventPtr> events) {
    KeyRebuild rebuild(engine, std::move(key));
    rebuild.fold_given(std::move(events));
    auto body = [&](db::UnitOfWork& unit) { return finish(rebuild, engine, unit); };
    co_await engine.surroundings().source->transaction(read_committed(), body);
    co_return rebuild.answer;
}

db::Task<RawState> rebuild_key_from_log(Engine& engine, outbox::Outbox& outbox, std::string key) {
    KeyRebuild rebuild(engine, std::move(key));
    const core::Position began = co_await log_begin(engine, outbox, false);
    {
        const std::unique_ptr<db::Connection> connection =
            co_await engine.surroundings().source->acquire(db::AccessIntent::read);
        const Generation generation = co_await engine.active(*connection);
        rebuild.skipped = co_await read_skipped(engine, *connection, generation.number);
    }
    LogCursor cursor(engine, outbox, began);
    co_await rebuild.fold_log(cursor, outbox.head());
    auto body = [&](db::UnitOfWork& unit) { return finish_from_log(rebuild, engine, cursor, outbox, unit); };
    co_await engine.surroundings().source->transaction(read_committed(), body);
    co_return rebuild.answer;
}

}  // namespace sluice::projection::internal
