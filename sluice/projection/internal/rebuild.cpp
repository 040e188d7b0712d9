#include "sluice/projection/internal/rebuild.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/json/writer.hpp"
#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/generations.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::projection::internal {
namespace {

/// Some event made a state that JSON cannot hold: fold again, looking at each one.
struct LookCloser {
    std::string key;
    std::string why;
};

std::vector<std::string> keys_of(const std::vector<FoldEvent>& events, const KeyStates& known) {
    std::set<std::string_view> keys;
    for (const FoldEvent& event : events)
        for (const std::string& key : event.keys)
            if (!key.empty() && !known.contains(key)) keys.insert(key);
    return {keys.begin(), keys.end()};
}

}  // namespace

Rebuild::Rebuild(Engine& engine, outbox::Outbox* outbox, RebuildOptions options)
    : engine_(engine), outbox_(outbox), options_(options) {}

core::Position Rebuild::head() const {
    return outbox_ != nullptr ? outbox_->head() : core::Position();
}

db::Task<RebuildReport> Rebuild::run(std::optional<GivenEvents> given) {
    const core::SteadyTime started = engine_.surroundings().clock->steady_now();
    const bool can_repeat = !given.has_value();
    std::exception_ptr failure;
    std::optional<LookCloser> closer;
    try {
        co_await attempt(std::move(given));
    } catch (const LookCloser& found) {
        closer = found;
    } catch (...) {
        failure = std::current_exception();
    }
    if (closer && !can_repeat)
        failure = std::make_exception_ptr(
            Error(ErrorKind::bad_event, engine_.definition().name(),
                  fmt::format("key '{}': its state cannot be written as JSON: {}", closer->key, closer->why)));
    if (failure) co_await runtime::begin_cleanup();
    if ((closer || failure) && !switched_) co_await drop_generation(engine_, new_);
    if (failure) std::rethrow_exception(failure);
    if (closer) {
        careful_ = true;
        co_await attempt(std::nullopt);
    }
    report_.duration =
        std::chrono::duration_cast<std::chrono::milliseconds>(engine_.surroundings().clock->steady_now() - started);
    co_return report_;
}

db::Task<void> Rebuild::attempt(std::optional<GivenEvents> given) {
    core::Position began;
    if (given)
        began = given->covers;
    else if (outbox_ != nullptr)
        began = co_await log_begin(engine_, *outbox_, options_.accept_partial_log);
    co_await begin(began);
    if (given) co_await fold_given(std::move(*given));
    if (outbox_ != nullptr) {
        cursor_.emplace(engine_, *outbox_, began);
        co_await catch_up();
    }
    co_await write_out();
    co_await switch_over();
    co_await announce();
    co_await drop_generation(engine_, old_);
}

db::Task<void> Rebuild::begin(core::Position began) {
    began_ = began;
    report_ = {};
    states_.clear();
    parked_.clear();
    waiting_.clear();
    weight_ = 0;
    spilled_ = false;
    auto body = [this](db::UnitOfWork& unit) { return create(unit); };
    co_await engine_.surroundings().source->transaction(read_committed(), body);
}

/// Throws `busy` when another process builds one already.
db::Task<void> Rebuild::create(db::UnitOfWork& unit) {
    const Store& store = engine_.store();
    co_await hold_alone(store, unit);
    const db::Result rows = co_await unit.query(store.texts().all_generations, store.projection());
    const std::vector<Generation> generations = Store::generations(rows);
    for (const Generation& generation : generations) {
        if (generation.status == "building")
            throw Error(ErrorKind::busy, store.projection(),
                        fmt::format("generation {} is being built already", generation.number));
        if (generation.status == "active") old_ = generation.number;
    }
    new_ = generations.back().number + 1;
    co_await unit.execute(store.texts().create_generation, store.projection(), new_,
                          engine_.definition().state_version(), "building", 0, 0, began_.value(), 0);
    co_await unit.execute(store.texts().copy_skipped, store.projection(), old_, new_);
    skipped_ = co_await read_skipped(engine_, unit, new_);
}

db::Task<void> Rebuild::fold_given(GivenEvents given) {
    const std::size_t chunk = engine_.surroundings().settings.log_chunk;
    bool more = true;
    while (more) {
        std::vector<FoldEvent> events;
        while (events.size() < chunk) {
            EventPtr event = given.next();
            more = event != nullptr;
            if (!more) break;
            events.push_back(intake_direct(engine_.definition(), std::move(event), core::Position()));
        }
        co_await fold_events(nullptr, std::move(events), {});
    }
}

/// Folds the log until little is left: what comes while the last of it is folded belongs to the switch.
db::Task<void> Rebuild::catch_up() {
    constexpr int kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
        const core::Position up_to = head();
        if (cursor_->position() >= up_to) co_return;
        while (true) {
            std::optional<std::vector<outbox::Message>> messages = co_await cursor_->next(up_to);
            if (!messages) break;
            co_await fold_messages(nullptr, std::move(*messages));
        }
        if (count_dirty() > engine_.surroundings().settings.write_chunk) co_await write_out();
    }
}

db::Task<void> Rebuild::fold_messages(db::Session* session, std::vector<outbox::Message> messages) {
    std::vector<FoldEvent> events = intake(engine_.definition(), engine_.declared().rules, messages);
    leave_out(skipped_, events);
    co_await fold_events(session, std::move(events), std::move(messages));
}

db::Task<void> Rebuild::fold_events(db::Session* session, std::vector<FoldEvent> events,
                                    std::vector<outbox::Message> messages) {
    if (spilled_) co_await load_spilled(session, keys_of(events, states_));
    FoldSettings how;
    how.deltas = false;
    how.weigh = true;
    how.careful = careful_;
    const FoldResult result = fold(engine_.definition(), events, states_, how);
    report_.events += result.folded;
    weight_ += result.grown;
    engine_.instruments().rebuild_events.set(static_cast<double>(report_.events));
    engine_.set_rebuilt(report_.events);
    if (!result.parked.empty()) keep_parked(result, messages);
    if (session != nullptr || weight_ <= engine_.surroundings().settings.rebuild_bytes) co_return;
    co_await write_out();
    states_.clear();
    weight_ = 0;
    spilled_ = true;
}

/// `session`: inside the switch; else a connection of its own.
db::Task<void> Rebuild::load_spilled(db::Session* session, std::vector<std::string> keys) {
    const db::Statement load = engine_.store().load(new_, keys);
    std::unique_ptr<db::Connection> own;
    if (session == nullptr) {
        own = co_await engine_.surroundings().source->acquire(db::AccessIntent::write);
        session = own.get();
    }
    std::vector<db::Statement> statements;
    statements.push_back(load);
    const std::vector<db::Result> results = co_await session->run(std::move(statements));
    Store::fill(results.front(), states_);
    for (const std::string& key : keys)
        if (parked_.contains(key)) states_[key].parked = true;
}

void Rebuild::keep_parked(const FoldResult& result, std::vector<outbox::Message>& messages) {
    if (messages.empty()) {
        const ParkedEvent& first = result.parked.front();
        throw Error(ErrorKind::bad_event, engine_.definition().name(),
                    fmt::format("key '{}': {}", first.key, first.text));
    }
    const auto limit = static_cast<std::size_t>(engine_.surroundings().settings.parked_limit);
    if (waiting_.size() + result.parked.size() > limit)
        throw Error(ErrorKind::limit, engine_.definition().name(),
                    fmt::format("the rebuild would park more than {} events; the first: key '{}': {}", limit,
                                result.parked.front().key, result.parked.front().text));
    for (const ParkedEvent& event : result.parked) {
        waiting_.push_back({event, messages[event.event]});
        if (!event.key.empty()) parked_.insert(event.key);
    }
}

std::size_t Rebuild::count_dirty() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(states_, [](const auto& entry) { return entry.second.dirty; }));
}

std::vector<KeyFold> Rebuild::dirty_keys() const {
    std::vector<KeyFold> keys;
    for (const auto& [name, state] : states_) {
        if (!state.dirty) continue;
        KeyFold& key = keys.emplace_back();
        key.key = name;
        key.version = state.version;
        key.epoch = state.epoch;
        key.position = state.position;
        key.removed = state.removed;
        try {
            if (!state.removed) key.state = engine_.definition().encode_state(*state.state);
        } catch (const core::json::EncodeError& e) {
            throw LookCloser{name, e.what()};
        }
    }
    return keys;
}

std::vector<KeyFold> Rebuild::take_dirty() {
    std::vector<KeyFold> keys = dirty_keys();
    for (const KeyFold& key : keys) {
        KeyState& state = states_[key.key];
        state.dirty = false;
        state.stored = true;
        state.bytes = key.state;
    }
    return keys;
}

/// Writes what changed, in transactions of bounded size; the last one says how far the generation has come.
db::Task<void> Rebuild::write_out() {
    const std::vector<KeyFold> keys = take_dirty();
    const std::size_t chunk = engine_.surroundings().settings.write_chunk;
    for (std::size_t done = 0; done < keys.size(); done += chunk) {
        const std::span<const KeyFold> part = std::span(keys).subspan(done, std::min(chunk, keys.size() - done));
        auto body = [this, part](db::UnitOfWork& unit) { return write_in(unit, part); };
        co_await engine_.surroundings().source->transaction(read_committed(), body);
    }
}

db::Task<void> Rebuild::write_in(db::UnitOfWork& unit, std::span<const KeyFold> keys) {
    const Store& store = engine_.store();
    Writes writes;
    store.put_states(new_, keys, writes);
    const core::Position position = cursor_ ? cursor_->position() : core::Position();
    writes.push_back({store.statement(store.texts().set_progress, new_,
                                      fmt::format(R"({{"events":{},"position":{}}})", report_.events, position)),
                      1});
    co_await run_writes(unit, store.projection(), std::move(writes));
}

}  // namespace sluice::projection::internal
