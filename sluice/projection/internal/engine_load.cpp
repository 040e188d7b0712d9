// What a batch reads before it folds.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_set.hpp>

#include "sluice/db/error.hpp"
#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/engine.hpp"

namespace sluice::projection::internal {
namespace {

std::vector<std::string> missing_keys(std::span<const std::string_view> keys, const KeyStates& states) {
    std::vector<std::string> missing;
    for (const std::string_view key : keys)
        if (!states.contains(key)) missing.emplace_back(key);
    return missing;
}

}  // namespace

std::vector<std::string_view> distinct_keys(std::span<const FoldEvent> events) {
    std::vector<std::string_view> keys;
    boost::unordered_flat_set<std::string_view, KeyHash> seen;
    for (const FoldEvent& event : events)
        for (const std::string& key : event.keys)
            if (!key.empty() && seen.insert(key).second) keys.push_back(key);
    return keys;
}

db::Task<std::vector<db::Result>> Engine::run_load(db::UnitOfWork& unit, std::int64_t generation,
                                                   std::vector<std::string> keys, Reading how) {
    std::vector<db::Statement> statements = store_.hold(how.hold);
    const std::size_t first = statements.size();
    statements.push_back(store_.statement(store_.texts().active));
    statements.push_back(store_.statement(store_.texts().parked_keys, generation));
    statements.push_back(how.rows_alone ? store_.load_alone(generation, keys) : store_.load(generation, keys));
    if (how.hold == Hold::alone) std::ranges::move(store_.count_alone(), std::back_inserter(statements));
    std::vector<db::Result> results = co_await unit.run(std::move(statements));
    check_not_overtaken(std::span(results).first(first), results[first]);
    results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(first));
    co_return results;
}

db::Task<Generation> Engine::load(db::UnitOfWork& unit, std::span<const FoldEvent> events, KeyStates& states,
                                  Reading how) {
    const std::vector<std::string_view> keys = distinct_keys(events);
    // Other batches run while this one waits, and may learn of another generation before it does.
    const std::int64_t guess = generation_;
    const std::size_t hits = cache_.take(guess, keys, states);
    std::vector<std::string> missing = missing_keys(keys, states);
    std::size_t misses = missing.size();
    std::vector<db::Result> results = co_await run_load(unit, guess, std::move(missing), how);
    const Generation generation = checked(results[0]);
    if (generation.number != guess) {
        // Somebody switched: nothing that was remembered is of this generation.
        if (generation_ != generation.number) forget();
        generation_ = generation.number;
        states.clear();
        missing = missing_keys(keys, states);
        misses = missing.size();
        results = co_await run_load(unit, generation.number, std::move(missing), how);
    } else {
        instruments_.cache_hits.add(static_cast<double>(hits));
    }
    ledger_epoch_ = std::max(ledger_epoch_, generation.ledger_epoch);
    instruments_.cache_misses.add(static_cast<double>(misses));
    instruments_.parked_keys.set(static_cast<double>(results[1].size()));
    Store::fill(results[2], states);
    for (const db::Row& row : results[1])
        states[row.get<std::string>(0)].parked = true;
    co_return generation;
}

/// The unit began to read before somebody else held alone: what it sees of the generations may be over.
void Engine::check_not_overtaken(std::span<const db::Result> held, const db::Result& active) const {
    const std::vector<Generation> seen = Store::generations(active);
    if (seen.empty() || !store_.is_overtaken(held, seen.front())) return;
    throw db::Error(db::ErrorKind::serialization,
                    {std::string(around_.source->name()), "",
                     fmt::format("projection '{}' was rebuilt, released or raised to another epoch after this unit had "
                                 "begun to read: run it again",
                                 store_.projection()),
                     ""});
}

Generation Engine::checked(const db::Result& active) const {
    std::vector<Generation> generations = Store::generations(active);
    if (generations.empty())
        throw Error(ErrorKind::config, store_.projection(), "it was never prepared in this database");
    if (generations.front().state_version != definition().state_version())
        throw Error(ErrorKind::state_version, store_.projection(),
                    fmt::format("its states are of state_version {}, this program folds {}: rebuild it",
                                generations.front().state_version, definition().state_version()));
    return std::move(generations.front());
}

db::Task<Generation> Engine::active(db::Session& session) const {
    const db::Result rows = co_await session.query(store_.texts().active, store_.projection());
    std::vector<Generation> generations = Store::generations(rows);
    if (generations.empty())
        throw Error(ErrorKind::config, store_.projection(), "it was never prepared in this database");
    co_return std::move(generations.front());
}

}  // namespace sluice::projection::internal
