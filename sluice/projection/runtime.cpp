#include "sluice/projection/runtime.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/projection/internal/engine.hpp"
#include "sluice/projection/internal/generations.hpp"
#include "sluice/projection/internal/key_rebuild.hpp"
#include "sluice/projection/internal/parked.hpp"
#include "sluice/projection/internal/reader.hpp"
#include "sluice/projection/internal/rebuild.hpp"
#include "sluice/projection/internal/verify.hpp"

namespace sluice::projection {
namespace {

void check_settings(const Settings& settings) {
    const auto require = [](bool holds, const char* name) {
        if (!holds) throw Error(ErrorKind::config, "*", fmt::format("Settings::{} must not be 0", name));
    };
    require(settings.rebuild_bytes > 0, "rebuild_bytes");
    require(settings.log_chunk > 0, "log_chunk");
    require(settings.write_chunk > 0, "write_chunk");
    require(settings.parked_limit > 0, "parked_limit");
    require(settings.trim_chunk > 0, "trim_chunk");
}

void check_options(std::string_view name, const Options& options, std::size_t queues, bool several_keys) {
    const auto refuse = [name](const char* text) { throw Error(ErrorKind::config, name, text); };
    if (options.mode == Mode::by_lane && several_keys)
        refuse("an event of several keys cannot be folded by lane: declare Mode::merged");
    if (options.mode == Mode::by_lane && queues != 1)
        refuse("several queues cannot be folded by lane: declare Mode::merged");
    if (!options.delta_log) return;
    if (options.delta_log->versions < 1) refuse("DeltaLog::versions must be at least 1");
    if (options.delta_log->age <= std::chrono::milliseconds(0)) refuse("DeltaLog::age must be more than 0");
}

/// Whatever fails is the database's doing, for a projection parks bad events itself: so nothing is ever given up.
outbox::SubscriptionSettings subscription_settings() {
    outbox::SubscriptionSettings settings;
    settings.from = outbox::From::start;
    settings.retry.max = std::chrono::seconds(1);
    settings.set_aside_after = std::nullopt;
    settings.max_attempts = std::nullopt;
    settings.poison = outbox::PoisonPolicy::block;
    return settings;
}

}  // namespace

struct Projections::State {
    internal::Surroundings around;
    std::vector<std::shared_ptr<internal::Engine>> engines;  // shared with the outbox's handlers
    std::vector<std::string> stale;                          // to be rebuilt once there is a log
    std::set<std::string, std::less<>> rebuilding;
    outbox::Outbox* outbox = nullptr;
    bool prepared = false;

    [[nodiscard]] internal::Engine& find(std::string_view name) const {
        for (const auto& engine : engines)
            if (engine->definition().name() == name) return *engine;
        std::string known;
        for (const auto& engine : engines)
            known += fmt::format("{}'{}'", known.empty() ? "" : ", ", engine->definition().name());
        throw Error(ErrorKind::config, name,
                    fmt::format("unknown in data source '{}'; there are: {}", around.source->name(), known));
    }

    db::Task<RebuildReport> rebuild(internal::Engine& engine, RebuildOptions options,
                                    std::optional<internal::GivenEvents> given);
    db::Task<void> note_begin();
};

Projections::Projections(std::shared_ptr<db::DataSource> source, core::Logger log, core::Metrics& metrics,
                         Settings settings, const core::Clock& clock)
    : state_(std::make_unique<State>()) {
    check_settings(settings);
    state_->around = {std::move(source), std::move(log), &metrics, &clock, settings, nullptr, nullptr};
}

Projections::~Projections() = default;

void Projections::add_definition(std::shared_ptr<const Definition> definition, std::vector<std::string> queues,
                                 std::set<std::string, std::less<>> foreign_types, Options options, bool several_keys) {
    const std::string_view name = definition->name();
    if (state_->prepared) throw Error(ErrorKind::config, name, "add projections before prepare");
    for (const auto& engine : state_->engines)
        if (engine->definition().name() == name)
            throw Error(ErrorKind::config, name,
                        fmt::format("the name is taken in data source '{}'", state_->around.source->name()));
    check_options(name, options, queues.size(), several_keys);
    internal::Declared declared;
    declared.definition = std::move(definition);
    declared.queues = std::move(queues);
    declared.rules = {options.mode, std::move(foreign_types)};
    declared.options = options;
    state_->engines.push_back(std::make_shared<internal::Engine>(state_->around, std::move(declared)));
}

void Projections::deliver_to(std::shared_ptr<DeltaSink> sink) {
    state_->around.sink = std::move(sink);
}

db::Task<void> Projections::prepare() {
    for (const auto& engine : state_->engines) {
        const bool is_stale = co_await internal::open_generations(*engine);
        if (is_stale) state_->stale.emplace_back(engine->definition().name());
    }
    state_->prepared = true;
}

db::Task<void> Projections::prepare(outbox::Outbox::Builder& builder) {
    co_await prepare();
    for (Subscription& wanted : subscriptions()) {
        if (wanted.mode == Mode::by_lane)
            builder.batch_transactional(std::move(wanted.queues.front()), std::move(wanted.name),
                                        std::move(wanted.handler), subscription_settings());
        else
            builder.batch_merged(std::move(wanted.queues), std::move(wanted.name), std::move(wanted.handler),
                                 subscription_settings());
    }
}

std::vector<Subscription> Projections::subscriptions() const {
    std::vector<Subscription> wanted;
    for (const auto& engine : state_->engines) {
        Subscription& one = wanted.emplace_back();
        one.name = "projection." + std::string(engine->definition().name());
        one.queues = engine->declared().queues;
        one.mode = engine->declared().options.mode;
        one.handler = [engine](db::UnitOfWork& unit, const outbox::Batch& batch) {
            return engine->handle(unit, batch);
        };
    }
    return wanted;
}

db::Task<RawState> Projections::read_raw(std::string projection, std::string key) const {
    return internal::read_raw(state_->find(projection), std::move(key));
}

db::Task<std::vector<RawState>> Projections::read_many_raw(std::string projection,
                                                           std::vector<std::string> keys) const {
    return internal::read_many_raw(state_->find(projection), std::move(keys));
}

db::Task<std::vector<RawState>> Projections::list_raw(std::string projection, std::string prefix, std::int64_t limit,
                                                      std::string after) const {
    return internal::list_raw(state_->find(projection), std::move(prefix), limit, std::move(after));
}

db::Task<std::optional<std::vector<RawDelta>>> Projections::range_raw(std::string projection, std::string key,
                                                                      core::Epoch epoch, core::Version after,
                                                                      core::Version to) const {
    return internal::range_raw(state_->find(projection), std::move(key), epoch, after, to);
}

db::Task<std::optional<RawState>> Projections::read_existing(std::string projection, std::string key) const {
    RawState raw = co_await read_raw(std::move(projection), std::move(key));
    if (!raw.exists) co_return std::nullopt;
    co_return raw;
}

db::Task<std::vector<AppliedKey>> Projections::apply_any(db::UnitOfWork& unit, std::string_view projection,
                                                         EventPtr event) {
    return state_->find(projection).apply_direct(unit, std::move(event));
}

db::Task<void> Projections::State::note_begin() {
    const core::Position oldest = co_await outbox->oldest_kept();
    std::vector<db::Statement> statements;
    for (const auto& engine : engines)
        statements.push_back(engine->store().statement(engine->store().texts().set_began, oldest.value() - 1));
    auto body = [&statements](db::UnitOfWork& unit) { return unit.run(statements); };
    static_cast<void>(co_await around.source->transaction(internal::read_committed(), body));
}

db::Task<void> Projections::attach(outbox::Outbox& outbox) {
    state_->outbox = &outbox;
    state_->around.outbox = &outbox;
    if (state_->engines.empty()) co_return;
    co_await state_->note_begin();
    const std::vector<std::string> stale = std::exchange(state_->stale, {});
    for (const std::string& name : stale) {
        internal::Engine& engine = state_->find(name);
        engine.log().info("its states are of another state_version: rebuilding from the log");
        const RebuildReport report = co_await state_->rebuild(engine, {}, std::nullopt);
        engine.log().info("rebuilt {} keys from {} events in {} ms", report.keys, report.events,
                          report.duration.count());
    }
}

outbox::Outbox& Projections::attached(std::string_view projection) const {
    if (state_->outbox == nullptr)
        throw Error(ErrorKind::config, projection, "there is no log: call attach with the running outbox first");
    return *state_->outbox;
}

db::Task<RebuildReport> Projections::State::rebuild(internal::Engine& engine, RebuildOptions options,
                                                    std::optional<internal::GivenEvents> given) {
    struct Mark {
        std::set<std::string, std::less<>>& names;
        std::string name;
        ~Mark() { names.erase(name); }
    };
    const std::string name(engine.definition().name());
    if (!rebuilding.insert(name).second) throw Error(ErrorKind::busy, name, "it is being rebuilt already");
    const Mark mark{rebuilding, name};
    internal::Rebuild work(engine, outbox, options);
    RebuildReport report = co_await work.run(std::move(given));
    co_return report;
}

db::Task<RebuildReport> Projections::rebuild(std::string projection, RebuildOptions options) {
    static_cast<void>(attached(projection));
    return state_->rebuild(state_->find(projection), options, std::nullopt);
}

db::Task<RebuildReport> Projections::rebuild_any(std::string_view projection, AnyEventSource events,
                                                 core::Position covers) {
    internal::GivenEvents given{std::move(events), covers};
    return state_->rebuild(state_->find(projection), {}, std::move(given));
}

db::Task<RawState> Projections::rebuild_key_any(std::string_view projection, std::string key,
                                                std::vector<EventPtr> events) {
    return internal::rebuild_key(state_->find(projection), std::move(key), std::move(events));
}

db::Task<RawState> Projections::rebuild_key_from_log(std::string projection, std::string key) {
    return internal::rebuild_key_from_log(state_->find(projection), attached(projection), std::move(key));
}

db::Task<VerifyReport> Projections::verify(std::string projection) {
    return internal::verify(state_->find(projection), attached(projection));
}

db::Task<ReleaseReport> Projections::retry(std::string projection, std::string key) {
    return internal::release(state_->find(projection), std::move(key), false);
}

db::Task<ReleaseReport> Projections::skip(std::string projection, std::string key) {
    return internal::release(state_->find(projection), std::move(key), true);
}

db::Task<ProjectionStatus> Projections::status(std::string projection, std::int64_t parked_limit) const {
    const internal::Engine& engine = state_->find(projection);
    ProjectionStatus status = co_await internal::read_status(engine, parked_limit);
    status.rebuilding = state_->rebuilding.contains(projection);
    if (state_->outbox != nullptr) status.lag = state_->outbox->head().value() - status.position.value();
    co_return status;
}

void Projections::throw_not_found(std::string_view projection, const std::string& key) {
    throw Error(ErrorKind::not_found, projection, fmt::format("no state for key '{}'", key));
}

void Projections::throw_undecodable(std::string_view projection, const std::string& key, const std::string& why) {
    throw Error(ErrorKind::stored_state, projection,
                fmt::format("the state of key '{}' does not decode: {}", key, why));
}

std::vector<std::string> Projections::names() const {
    std::vector<std::string> names;
    for (const auto& engine : state_->engines)
        names.emplace_back(engine->definition().name());
    return names;
}

std::string Projections::event_name(std::string_view projection) const {
    return std::string(state_->find(projection).definition().event_name());
}

}  // namespace sluice::projection
