// One projection of one data source at work: batches come in inside a unit of work, states, deltas and positions go
// into the same commit, and the sink hears of it afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/core/log.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/outbox/handler.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/projection/delta_sink.hpp"
#include "sluice/projection/internal/instruments.hpp"
#include "sluice/projection/internal/state_cache.hpp"
#include "sluice/projection/internal/store.hpp"
#include "sluice/projection/options.hpp"
#include "sluice/projection/reading.hpp"

namespace sluice::projection::internal {

/// What the projections of one data source share.
struct Surroundings {
    std::shared_ptr<db::DataSource> source;
    core::Logger log;
    core::Metrics* metrics;    // outlives the projections
    const core::Clock* clock;  // outlives the projections
    Settings settings;
    std::shared_ptr<DeltaSink> sink;  // shared with whoever else publishes to it; null: nobody listens
    const outbox::Outbox* outbox;     // outlives its batches; null: not attached
};

/// A projection as `add` was given it.
struct Declared {
    std::shared_ptr<const Definition> definition;
    std::vector<std::string> queues;
    IntakeRules rules;
    Options options;
};

/// All calls on the projection's shard. Shared by the outbox's handler and Projections.
class Engine : public std::enable_shared_from_this<Engine> {
public:
    /// `surroundings` outlives the engine.
    Engine(const Surroundings& surroundings, Declared declared);

    [[nodiscard]] const Definition& definition() const noexcept { return *declared_.definition; }
    [[nodiscard]] const Declared& declared() const noexcept { return declared_; }
    [[nodiscard]] const Store& store() const noexcept { return store_; }
    [[nodiscard]] const Surroundings& surroundings() const noexcept { return around_; }
    [[nodiscard]] const Instruments& instruments() const noexcept { return instruments_; }
    [[nodiscard]] const core::Logger& log() const noexcept { return log_; }

    /// One batch of the outbox, in the unit that advances its cursor. Throws `conflict`, `state_version`, `limit`: the
    /// unit is undone and the batch comes again.
    db::Task<void> handle(db::UnitOfWork& unit, const outbox::Batch& batch);
    /// One event in the caller's unit, without a queue.
    db::Task<std::vector<AppliedKey>> apply_direct(db::UnitOfWork& unit, EventPtr event);

    /// The generation that is read and applied to, as `session` sees it. Throws `config` when there is none.
    db::Task<Generation> active(db::Session& session) const;
    /// max(previous + 1, clock in ms): one that was lost with a tail of the database is never given out again.
    [[nodiscard]] core::Epoch next_epoch(const Generation& generation) const;

    /// Folds with this projection's settings.
    [[nodiscard]] FoldResult fold_for(const Generation& generation, std::span<const FoldEvent> events,
                                      KeyStates& states) const;
    /// Delta rows and, now and then, the removal of old ones, which `unit` may have to look for. `keys` and `writes`
    /// outlive the task.
    db::Task<void> plan_deltas(db::UnitOfWork& unit, std::int64_t generation, StreamPosition at,
                               std::span<const KeyFold> keys, Writes& writes);
    /// Once `unit` has committed: forgets the keys and tells the sink, outside the lanes' streams. Moves the
    /// deltas out of `result`.
    void announce_after_commit(db::UnitOfWork& unit, const Generation& generation, FoldResult& result);
    void publish(std::shared_ptr<const DeltaBatch> batch);
    [[nodiscard]] DeltaBatch new_batch(std::int64_t generation) const;
    /// For `status`.
    void set_rebuilt(std::uint64_t events) noexcept { rebuilt_ = events; }
    [[nodiscard]] std::uint64_t rebuilt() const noexcept { return rebuilt_; }
    [[nodiscard]] const std::string& stopped() const noexcept { return stopped_; }
    /// Nothing remembered is to be trusted any more.
    void forget() noexcept { cache_.clear(); }

private:
    struct Plan;
    class ForgetUnlessCommitted;

    db::Task<void> fold_batch(db::UnitOfWork& unit, const outbox::Batch& batch);
    /// How `load` reads: beside whom, and whether the rows are its alone.
    struct Reading {
        Hold hold = Hold::shared;
        bool rows_alone = false;
    };
    db::Task<Generation> load(db::UnitOfWork& unit, std::span<const FoldEvent> events, KeyStates& states, Reading how);
    std::vector<db::Statement> trims(std::int64_t generation, std::int64_t stream, std::span<const KeyFold> keys);
    db::Task<std::vector<db::Result>> run_load(db::UnitOfWork& unit, std::int64_t generation,
                                               std::vector<std::string> keys, Reading how);
    db::Task<void> write_direct(db::UnitOfWork& unit, Writes writes);
    db::Task<void> check_parked_limit(db::UnitOfWork& unit, std::int64_t generation, std::size_t more);
    [[nodiscard]] StreamPosition stream_of(const outbox::Batch& batch) const;
    Plan plan(const Generation& generation, const outbox::Batch& batch, const FoldResult& result);
    void plan_epoch(const Generation& generation, const outbox::Batch& batch, Plan& plan) const;
    void after_commit(db::UnitOfWork& unit, std::int64_t generation, KeyStates states, DeltaBatch batch,
                      const FoldResult& result, const outbox::Message* newest);
    void measure_lag(db::Timestamp created_at, core::Position position) const;
    [[nodiscard]] Generation checked(const db::Result& active) const;
    void check_not_overtaken(std::span<const db::Result> held, const db::Result& active) const;

    const Surroundings& around_;
    Declared declared_;
    Store store_;
    Instruments instruments_;
    core::Logger log_;
    StateCache cache_;
    std::uint64_t rebuilt_ = 0;
    std::string stopped_;
    std::int64_t generation_ = 0;                                 // as last seen: a guess, checked in every unit
    core::Epoch ledger_epoch_;                                    // as last seen: it only rises
    std::unordered_map<std::int64_t, core::SteadyTime> trimmed_;  // by stream
};

/// The events' keys, each once, in the order of their first event; they look into `events`.
[[nodiscard]] std::vector<std::string_view> distinct_keys(std::span<const FoldEvent> events);

}  // namespace sluice::projection::internal
