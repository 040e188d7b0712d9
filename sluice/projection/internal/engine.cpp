#include "sluice/projection/internal/engine.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/db/error.hpp"
#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/announce.hpp"

namespace sluice::projection::internal {
namespace {

double seconds_between(core::SteadyTime from, core::SteadyTime to) {
    return std::chrono::duration<double>(to - from).count();
}

std::vector<std::string> keys_written(const FoldResult& result) {
    std::vector<std::string> keys;
    for (const KeyFold& key : result.keys)
        keys.push_back(key.key);
    return keys;
}

}  // namespace

/// The writes of one batch.
struct Engine::Plan {
    Writes writes;
    core::Epoch epoch;
    bool epoch_rose = false;
};

/// Empties the cache unless the batch got as far as its commit.
class Engine::ForgetUnlessCommitted {
public:
    explicit ForgetUnlessCommitted(Engine& engine) : engine_(&engine) {}
    ~ForgetUnlessCommitted() {
        if (engine_ != nullptr) engine_->forget();
    }
    ForgetUnlessCommitted(const ForgetUnlessCommitted&) = delete;
    ForgetUnlessCommitted& operator=(const ForgetUnlessCommitted&) = delete;
    void done() noexcept { engine_ = nullptr; }

private:
    Engine* engine_;
};

Engine::Engine(const Surroundings& surroundings, Declared declared)
    : around_(surroundings),
      declared_(std::move(declared)),
      store_(surroundings.source->dialect(), std::string(declared_.definition->name())),
      instruments_(*surroundings.metrics, std::string(surroundings.source->name()), store_.projection()),
      log_(surroundings.log.named(fmt::format("projection {} {}", surroundings.source->name(), store_.projection()))),
      cache_(surroundings.settings.cache_bytes) {}

db::Task<void> Engine::handle(db::UnitOfWork& unit, const outbox::Batch& batch) {
    try {
        co_await fold_batch(unit, batch);
        stopped_.clear();
    } catch (const Error& e) {
        if (e.kind() == ErrorKind::conflict) instruments_.conflicts.add();
        stopped_ = e.what();
        throw;
    } catch (const std::exception& e) {
        stopped_ = e.what();
        throw;
    }
}

db::Task<void> Engine::fold_batch(db::UnitOfWork& unit, const outbox::Batch& batch) {
    ForgetUnlessCommitted guard(*this);
    const core::SteadyTime began = around_.clock->steady_now();
    const std::vector<FoldEvent> events = intake(definition(), declared_.rules, batch.messages);
    KeyStates states;
    // An epoch rises while no other batch is under way that still tells of the one before.
    Reading how;
    if (batch.ledger_epoch > ledger_epoch_) how.hold = Hold::alone;
    const Generation generation = co_await load(unit, events, states, how);

    const core::SteadyTime loaded = around_.clock->steady_now();
    FoldResult result = fold_for(generation, events, states);

    const core::SteadyTime folded = around_.clock->steady_now();
    if (!result.parked.empty()) co_await check_parked_limit(unit, generation.number, result.parked.size());
    Plan planned = plan(generation, batch, result);
    co_await plan_deltas(unit, generation.number, stream_of(batch), result.keys, planned.writes);
    co_await run_writes(unit, store_.projection(), std::move(planned.writes));

    instruments_.load_seconds.observe(seconds_between(began, loaded));
    instruments_.fold_seconds.observe(seconds_between(loaded, folded));
    instruments_.write_seconds.observe(seconds_between(folded, around_.clock->steady_now()));
    instruments_.batch_events.observe(static_cast<double>(batch.messages.size()));
    DeltaBatch told = new_batch(generation.number);
    told.lane = declared_.rules.mode == Mode::by_lane ? batch.lane : core::LaneId();
    told.after_seq = batch.after;
    told.up_to_seq = batch.up_to;
    told.changes = changes_of(definition(), result.keys, planned.epoch, planned.epoch_rose);
    const outbox::Message* const newest = batch.messages.empty() ? nullptr : &batch.messages.back();
    after_commit(unit, generation.number, std::move(states), std::move(told), result, newest);
    guard.done();
}

db::Task<std::vector<AppliedKey>> Engine::apply_direct(db::UnitOfWork& unit, EventPtr event) {
    ForgetUnlessCommitted guard(*this);
    std::vector<FoldEvent> events;
    events.push_back(intake_direct(definition(), std::move(event), core::Position()));
    // The row decides, not the cache: perhaps nobody would run the caller's unit again after a conflict.
    KeyStates forgotten;
    static_cast<void>(cache_.take(generation_, distinct_keys(events), forgotten));
    KeyStates states;
    Reading how;
    how.rows_alone = true;
    const Generation generation = co_await load(unit, events, states, how);
    FoldResult result = fold_for(generation, events, states);
    if (!result.parked.empty()) {
        const ParkedEvent& parked = result.parked.front();
        throw Error(ErrorKind::bad_event, store_.projection(),
                    fmt::format("key '{}': {}", parked.key,
                                parked.failed ? parked.text : "it is parked; retry, skip or rebuild it first"));
    }
    Writes writes;
    store_.write_states(generation.number, result.keys, writes);
    constexpr StreamPosition kDirect{kDirectStream, 0};
    co_await plan_deltas(unit, generation.number, kDirect, result.keys, writes);
    co_await write_direct(unit, std::move(writes));

    std::vector<AppliedKey> changes;
    for (const KeyFold& key : result.keys)
        changes.push_back({key.key, key.version, std::max(generation.epoch, key.epoch), key.deltas.front()});
    announce_after_commit(unit, generation, result);
    guard.done();
    co_return changes;
}

/// The caller's unit is run again by its `retry_serialization`, which knows nothing of projections.
db::Task<void> Engine::write_direct(db::UnitOfWork& unit, Writes writes) {
    try {
        co_await run_writes(unit, store_.projection(), std::move(writes));
    } catch (const Error& e) {
        if (e.kind() != ErrorKind::conflict) throw;
        const db::ErrorDetails details{std::string(around_.source->name()), "", e.what(), ""};
        throw db::Error(db::ErrorKind::serialization, details, std::current_exception());
    }
}

db::Task<void> Engine::check_parked_limit(db::UnitOfWork& unit, std::int64_t generation, std::size_t more) {
    const db::Result rows = co_await unit.query(store_.texts().count_parked, store_.projection(), generation);
    const std::int64_t parked = rows.rows.front().get<std::int64_t>(0);
    if (parked + static_cast<std::int64_t>(more) > around_.settings.parked_limit)
        throw Error(ErrorKind::limit, store_.projection(),
                    fmt::format("{} events are parked and {} more would be, the limit is {}: retry, skip or rebuild "
                                "the parked keys",
                                parked, more, around_.settings.parked_limit));
}

StreamPosition Engine::stream_of(const outbox::Batch& batch) const {
    return {declared_.rules.mode == Mode::by_lane ? batch.lane.value() : 0, batch.up_to};
}

Engine::Plan Engine::plan(const Generation& generation, const outbox::Batch& batch, const FoldResult& result) {
    Plan plan;
    const StreamPosition at = stream_of(batch);
    store_.write_states(generation.number, result.keys, plan.writes);
    for (const ParkedEvent& event : result.parked)
        plan.writes.push_back(store_.park(generation.number, event, batch.messages[event.event]));
    if (!batch.messages.empty())
        plan.writes.push_back({store_.statement(store_.texts().move_lane, generation.number, at.stream, at.position,
                                                batch.messages.back().position.value()),
                               std::nullopt});
    plan_epoch(generation, batch, plan);
    return plan;
}

void Engine::plan_epoch(const Generation& generation, const outbox::Batch& batch, Plan& plan) const {
    plan.epoch = generation.epoch;
    if (batch.ledger_epoch <= generation.ledger_epoch) return;
    if (generation.ledger_epoch == core::Epoch()) {
        // The first batch ever: nobody has seen an epoch that this ledger could contradict.
        plan.writes.push_back(
            {store_.statement(store_.texts().note_ledger_epoch, generation.number, batch.ledger_epoch.value()),
             std::nullopt});
        return;
    }
    plan.epoch = next_epoch(generation);
    plan.epoch_rose = true;
    plan.writes.push_back({store_.statement(store_.texts().raise_epoch, generation.number, plan.epoch.value(),
                                            batch.ledger_epoch.value(), generation.epoch.value()),
                           1});
}

db::Task<void> Engine::plan_deltas(db::UnitOfWork& unit, std::int64_t generation, StreamPosition at,
                                   std::span<const KeyFold> keys, Writes& writes) {
    if (!declared_.options.delta_log) co_return;
    store_.write_deltas(generation, at, keys, writes);
    std::vector<db::Statement> old = trims(generation, at.stream, keys);
    if (store_.texts().remove_deltas.empty()) {
        for (db::Statement& trim : old)
            writes.push_back({std::move(trim), std::nullopt});
    } else if (!old.empty()) {
        const std::vector<db::Result> found = co_await unit.run(std::move(old));
        store_.remove_deltas(generation, found, writes);
    }
}

std::vector<db::Statement> Engine::trims(std::int64_t generation, std::int64_t stream, std::span<const KeyFold> keys) {
    std::vector<db::Statement> trims;
    const DeltaLog& limits = *declared_.options.delta_log;
    const std::int64_t step = std::max<std::int64_t>(1, limits.versions / 4);
    for (const KeyFold& key : keys) {
        const bool passed_a_step = key.version.value() / step != key.loaded_version.value() / step;
        if (passed_a_step && key.version.value() > limits.versions)
            trims.push_back(store_.statement(store_.texts().trim_versions, generation, key.key,
                                             key.version.value() - limits.versions));
    }
    const core::SteadyTime now = around_.clock->steady_now();
    core::SteadyTime& trimmed = trimmed_[stream];
    if (now - trimmed < std::chrono::seconds(1)) return trims;
    trimmed = now;
    trims.push_back(
        store_.statement(store_.texts().trim_age, generation, stream, limits.age.count(), around_.settings.trim_chunk));
    return trims;
}

void Engine::after_commit(db::UnitOfWork& unit, std::int64_t generation, KeyStates states, DeltaBatch batch,
                          const FoldResult& result, const outbox::Message* newest) {
    auto told = std::make_shared<const DeltaBatch>(std::move(batch));
    if (core::mutant("projection_delta_before_commit")) publish(told);
    std::string first_fault;
    for (const ParkedEvent& event : result.parked)
        if (event.failed && first_fault.empty()) first_fault = fmt::format("key '{}': {}", event.key, event.text);
    std::optional<std::pair<db::Timestamp, core::Position>> last;
    if (newest != nullptr) last.emplace(newest->created_at, newest->position);
    unit.after_commit([self = shared_from_this(), generation, states = std::move(states), told = std::move(told), last,
                       folded = result.folded, replayed = result.replayed, parked = result.parked.size(),
                       fault = std::move(first_fault)]() mutable {
        self->cache_.put(generation, std::move(states));
        self->instruments_.batches.add();
        self->instruments_.events.add(static_cast<double>(folded));
        self->instruments_.replayed.add(static_cast<double>(replayed));
        self->instruments_.parked.add(static_cast<double>(parked));
        if (parked > 0) self->log_.warn("parked {} events; {}", parked, fault);
        if (core::mutant("projection_delta_before_commit")) return;
        self->publish(std::move(told));
        if (last) self->measure_lag(last->first, last->second);
    });
    unit.after_rollback([self = shared_from_this()] { self->forget(); });
}

FoldResult Engine::fold_for(const Generation& generation, std::span<const FoldEvent> events, KeyStates& states) const {
    FoldSettings how;
    how.undo = declared_.options.delta_log.has_value();
    how.base = generation.base;
    return fold(definition(), events, states, how);
}

void Engine::announce_after_commit(db::UnitOfWork& unit, const Generation& generation, FoldResult& result) {
    DeltaBatch told = new_batch(generation.number);
    told.changes = changes_of(definition(), result.keys, generation.epoch, false);
    // A batch that wrote these keys before, and heard of its commit after this unit began, has put them into the cache.
    unit.after_commit([self = shared_from_this(), number = generation.number, keys = keys_written(result)] {
        const std::vector<std::string_view> names(keys.begin(), keys.end());
        KeyStates old;
        static_cast<void>(self->cache_.take(number, names, old));
    });
    after_commit(unit, generation.number, {}, std::move(told), result, nullptr);
}

void Engine::measure_lag(db::Timestamp created_at, core::Position position) const {
    const double age = std::chrono::duration<double>(around_.clock->system_now() - created_at).count();
    instruments_.commit_to_delta.observe(age);
    instruments_.lag_seconds.set(age);
    if (around_.outbox != nullptr)
        instruments_.lag_events.set(static_cast<double>(around_.outbox->head().value() - position.value()));
}

void Engine::publish(std::shared_ptr<const DeltaBatch> batch) {
    double deltas = 0;
    for (const KeyChange& change : batch->changes)
        deltas += static_cast<double>(change.deltas.size());
    instruments_.deltas.add(deltas);
    if (around_.sink != nullptr) around_.sink->publish(std::move(batch));
}

DeltaBatch Engine::new_batch(std::int64_t generation) const {
    DeltaBatch batch;
    batch.source = std::string(around_.source->name());
    batch.projection = store_.projection();
    batch.event_name = std::string(definition().event_name());
    batch.generation = generation;
    return batch;
}

core::Epoch Engine::next_epoch(const Generation& generation) const {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(around_.clock->system_now().time_since_epoch());
    return core::Epoch(std::max(generation.epoch_given.value() + 1, static_cast<std::int64_t>(now.count())));
}

}  // namespace sluice::projection::internal
