// The projections of one data source: wires them to its outbox, reads, rebuilds and repairs them.
//
//     projection::Projections projections(source, log, metrics);
//     projections.add<StockLevel>(stock, {.mode = projection::Mode::by_lane});   // stock: an outbox::Queue<StockEvent>
//     projections.deliver_to(sink);                                              // where committed deltas go
//
//     auto builder = outbox::Outbox::builder(source, shard, log, metrics);
//     builder.queue(stock);
//     co_await projections.prepare(builder);          // before the outbox starts
//     auto outbox = co_await builder.start();
//     co_await projections.attach(*outbox);           // after it
//
//     auto level = co_await projections.read_required<StockLevel>("A-1");        // .state, .version, .epoch
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/outbox/queue.hpp"
#include "sluice/projection/delta_sink.hpp"
#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/queue_types.hpp"
#include "sluice/projection/options.hpp"
#include "sluice/projection/reading.hpp"
#include "sluice/projection/rebuild.hpp"
#include "sluice/projection/typed_definition.hpp"

namespace sluice::projection {

/// What a projection wants of the outbox.
struct Subscription {
    std::string name;  ///< "projection.<name>"
    std::vector<std::string> queues;
    Mode mode = Mode::merged;
    outbox::BatchHandler handler;
};

/// All calls on one shard, the outbox's. Outlives nothing: stop the outbox first.
class Projections {
public:
    /// Throws `config` for a setting of zero, naming it.
    Projections(std::shared_ptr<db::DataSource> source, core::Logger log, core::Metrics& metrics,
                Settings settings = {}, const core::Clock& clock = core::real_clock());
    ~Projections();
    Projections(const Projections&) = delete;
    Projections& operator=(const Projections&) = delete;

    /// Folds `queue` into P. Every alternative of P::Event must be one of the queue's; other types of the queue concern
    /// nobody. Throws `config` for a name that is taken, and after `prepare`.
    template <class P, class Event>
    void add(const outbox::Queue<Event>& queue, Options options = {}, P projection = {}) {
        add_merged<P>(options, std::move(projection), queue);
    }
    /// Folds several queues into P in ledger order; by lane is possible for one queue only.
    template <class P, class... Events>
    void add_merged(Options options, P projection, const outbox::Queue<Events>&... queues) {
        static_assert(internal::Contract<P>::holds);
        static_assert(internal::carries_all<typename P::Event, Events...>(),
                      "projection: 'Event' has an alternative that none of the queues carries");
        add_definition(define<P>(std::move(projection)), {queues.name()...},
                       internal::foreign_types<typename P::Event, Events...>(), options,
                       internal::yields_several_keys<P>());
    }

    /// Who hears of committed deltas from now on.
    void deliver_to(std::shared_ptr<DeltaSink> sink);

    /// Creates what is new, checks what is stored, and subscribes each projection as "projection.<name>". Throws
    /// `config` when the tables are missing, `state_version` when stored states have another shape (see
    /// OnChangedState).
    db::Task<void> prepare(outbox::Outbox::Builder& builder);
    /// Without a queue, for programs that only use `apply_event` and reads.
    db::Task<void> prepare();
    /// What `prepare(builder)` registers, for who delivers batches by other means; keep the order of positions per
    /// lane.
    [[nodiscard]] std::vector<Subscription> subscriptions() const;
    /// Tells the projections their log. `outbox` must live as long as they are used.
    db::Task<void> attach(outbox::Outbox& outbox);

    /// The state of `key`, or nothing when it was never seen or was removed. One statement.
    template <class P>
    db::Task<std::optional<Versioned<typename P::State>>> read(std::string key) const {
        std::optional<RawState> raw = co_await read_existing(std::string(P::name), std::move(key));
        if (!raw) co_return std::nullopt;
        co_return decode<P>(*raw);
    }
    /// As `read`; throws `not_found` naming projection and key.
    template <class P>
    db::Task<Versioned<typename P::State>> read_required(std::string key) const {
        std::optional<RawState> raw = co_await read_existing(std::string(P::name), key);
        if (!raw) throw_not_found(P::name, key);
        co_return decode<P>(*raw);
    }
    /// Those of `keys` that have a state, in one statement, in no order.
    template <class P>
    db::Task<std::vector<Keyed<typename P::State>>> read_many(std::vector<std::string> keys) const {
        const std::vector<RawState> raw = co_await read_many_raw(std::string(P::name), std::move(keys));
        co_return decode_all<P>(raw);
    }
    /// At most `limit` keys that begin with `prefix`, in byte order, behind the key `after`.
    template <class P>
    db::Task<std::vector<Keyed<typename P::State>>> list(std::string prefix, std::int64_t limit,
                                                         std::string after = {}) const {
        const std::vector<RawState> raw =
            co_await list_raw(std::string(P::name), std::move(prefix), limit, std::move(after));
        co_return decode_all<P>(raw);
    }

    /// By name, for whoever does not know the type: State{} at version 0 for a key that was never seen. One statement,
    /// on the primary: not older than any delta published before the call. Throws `config` for an unknown projection.
    db::Task<RawState> read_raw(std::string projection, std::string key) const;
    db::Task<std::vector<RawState>> read_many_raw(std::string projection, std::vector<std::string> keys) const;
    db::Task<std::vector<RawState>> list_raw(std::string projection, std::string prefix, std::int64_t limit,
                                             std::string after) const;
    /// The deltas of `epoch` with `after` < version <= `to`, all of them and in order; nothing when some of them are no
    /// longer kept or the key's epoch is another. One statement.
    db::Task<std::optional<std::vector<RawDelta>>> range_raw(std::string projection, std::string key, core::Epoch epoch,
                                                             core::Version after, core::Version to) const;

    /// Folds one event in the caller's unit, without a queue: for tests, small programs and single writes. One answer
    /// per key. Throws `bad_event` when `apply` throws or a key is parked, db::Error `serialization` when another
    /// unit gave the key its first event meanwhile, or a rebuild switched after this unit had begun to read:
    /// `retry_serialization` runs the unit again. A projection fed like this cannot be rebuilt from a log.
    template <class P>
    db::Task<std::vector<AppliedKey>> apply_event(db::UnitOfWork& unit, typename P::Event event) {
        return apply_any(unit, P::name, std::make_unique<const TypedEvent<typename P::Event>>(std::move(event)));
    }

    /// Builds a new generation from the queues' log beside the one that serves, and switches in one transaction; live
    /// batches go on meanwhile. Subscribers hear `reset` for keys whose state differs and `position` for the others. An
    /// empty log makes an empty model, which is announced too. Throws `gone` (see RebuildOptions), `busy`.
    db::Task<RebuildReport> rebuild(std::string projection, RebuildOptions options = {});
    /// The same from the caller's events, followed by the log behind position `covers`, which says how far into the log
    /// they reach. Without a log (never attached) they are all there is.
    template <class P>
    db::Task<RebuildReport> rebuild_from(EventSource<typename P::Event> events, core::Position covers = {}) {
        return rebuild_any(P::name, any_source<P>(std::move(events)), covers);
    }
    /// One key: from these events (none: it is empty again), or from the log. Serialized with live batches of the key;
    /// its version is the number of events folded, its epoch rises, and what was parked of it goes.
    template <class P>
    db::Task<Versioned<typename P::State>> rebuild_key(std::string key, std::vector<typename P::Event> events) {
        std::vector<EventPtr> any;
        for (auto& event : events)
            any.push_back(std::make_unique<const TypedEvent<typename P::Event>>(std::move(event)));
        const RawState raw = co_await rebuild_key_any(P::name, std::move(key), std::move(any));
        co_return decode<P>(raw);
    }
    db::Task<RawState> rebuild_key_from_log(std::string projection, std::string key);
    /// Folds the log purely and compares state and version of every key byte for byte, at one snapshot.
    db::Task<VerifyReport> verify(std::string projection);

    /// Folds what `key` waits with, in order, until an event fails again. Throws `not_found` when nothing waits.
    db::Task<ReleaseReport> retry(std::string projection, std::string key);
    /// Leaves the event at fault out, now and in every rebuild from the log, then goes on as `retry`.
    db::Task<ReleaseReport> skip(std::string projection, std::string key);
    /// At most `parked_limit` parked keys are listed.
    db::Task<ProjectionStatus> status(std::string projection, std::int64_t parked_limit = 100) const;

    /// The names added, in order.
    [[nodiscard]] std::vector<std::string> names() const;
    /// Empty: the default, "delta".
    [[nodiscard]] std::string event_name(std::string_view projection) const;

private:
    struct State;

    void add_definition(std::shared_ptr<const Definition> definition, std::vector<std::string> queues,
                        std::set<std::string, std::less<>> foreign_types, Options options, bool several_keys);
    db::Task<std::optional<RawState>> read_existing(std::string projection, std::string key) const;
    db::Task<std::vector<AppliedKey>> apply_any(db::UnitOfWork& unit, std::string_view projection, EventPtr event);
    db::Task<RebuildReport> rebuild_any(std::string_view projection, AnyEventSource events, core::Position covers);
    db::Task<RawState> rebuild_key_any(std::string_view projection, std::string key, std::vector<EventPtr> events);
    [[nodiscard]] outbox::Outbox& attached(std::string_view projection) const;
    [[noreturn]] static void throw_not_found(std::string_view projection, const std::string& key);
    [[noreturn]] static void throw_undecodable(std::string_view projection, const std::string& key,
                                               const std::string& why);

    template <class P>
    static AnyEventSource any_source(EventSource<typename P::Event> events) {
        return [events = std::move(events)]() -> EventPtr {
            std::optional<typename P::Event> event = events();
            if (!event) return nullptr;
            return std::make_unique<const TypedEvent<typename P::Event>>(std::move(*event));
        };
    }
    template <class P>
    static Versioned<typename P::State> decode(const RawState& raw) {
        auto state = core::json::decode<typename P::State>(raw.state);
        if (!state) throw_undecodable(P::name, raw.key, core::json::to_string(state.error()));
        return {std::move(*state), raw.version, raw.epoch, raw.stale};
    }
    template <class P>
    static std::vector<Keyed<typename P::State>> decode_all(const std::vector<RawState>& raw) {
        std::vector<Keyed<typename P::State>> states;
        for (const RawState& one : raw)
            states.push_back({one.key, decode<P>(one)});
        return states;
    }

    std::unique_ptr<State> state_;
};

}  // namespace sluice::projection
