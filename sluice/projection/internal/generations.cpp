#include "sluice/projection/internal/generations.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {
namespace {

db::Task<void> create_first(Engine& engine, db::UnitOfWork& unit) {
    const Store& store = engine.store();
    const core::Epoch epoch = engine.next_epoch(Generation{});
    co_await unit.execute(store.texts().create_generation, store.projection(), 1, engine.definition().state_version(),
                          "active", epoch.value(), 0, db::null, 0);
}

/// Reads the generations; creates the first where there is none.
db::Task<std::vector<Generation>> read_or_create(Engine& engine, db::UnitOfWork& unit) {
    const Store& store = engine.store();
    co_await hold_alone(store, unit);  // another process may begin at the same moment
    db::Result rows = co_await unit.query(store.texts().all_generations, store.projection());
    if (rows.empty()) {
        co_await create_first(engine, unit);
        rows = co_await unit.query(store.texts().all_generations, store.projection());
    }
    co_return Store::generations(rows);
}

/// Whether it exists and serves nobody.
db::Task<bool> is_droppable(Engine& engine, std::int64_t generation) {
    const Store& store = engine.store();
    const std::unique_ptr<db::Connection> connection =
        co_await engine.surroundings().source->acquire(db::AccessIntent::write);
    const db::Result rows = co_await connection->query(store.texts().all_generations, store.projection());
    for (const Generation& found : Store::generations(rows))
        if (found.number == generation) co_return found.status != "active";
    co_return false;
}

/// Deletes `limit` rows of `sql` at a time, each time in a transaction of its own, until none is left.
db::Task<void> delete_in_chunks(Engine& engine, std::string sql, std::int64_t generation) {
    const std::int64_t limit = engine.surroundings().settings.write_chunk;
    const db::Statement remove = engine.store().statement(sql, generation, limit);
    std::int64_t removed = limit;
    while (removed == limit) {
        auto body = [&remove](db::UnitOfWork& unit) { return unit.run({remove}); };
        const std::vector<db::Result> results =
            co_await engine.surroundings().source->transaction(read_committed(), body);
        removed = static_cast<std::int64_t>(results.front().affected);
    }
}

}  // namespace

db::Task<bool> open_generations(Engine& engine) {
    auto body = [&engine](db::UnitOfWork& unit) { return read_or_create(engine, unit); };
    const std::vector<Generation> generations =
        co_await engine.surroundings().source->transaction(read_committed(), body);
    bool stale = false;
    for (const Generation& generation : generations) {
        if (generation.status != "active") {
            co_await drop_generation(engine, generation.number);
            continue;
        }
        stale = generation.state_version != engine.definition().state_version();
        if (stale && engine.declared().options.on_changed_state == OnChangedState::refuse)
            throw Error(ErrorKind::state_version, engine.definition().name(),
                        fmt::format("its states are stored with state_version {}, this program folds {}: start with "
                                    "Options::on_changed_state = rebuild, or run the program that wrote them",
                                    generation.state_version, engine.definition().state_version()));
    }
    co_return stale;
}

db::Task<void> drop_generation(Engine& engine, std::int64_t generation) {
    const Store& store = engine.store();
    const bool droppable = co_await is_droppable(engine, generation);
    if (!droppable) co_return;
    // Whoever is building it, in another process, adds no row from here on.
    std::vector<db::Statement> end;
    end.push_back(store.statement(store.texts().abandon, generation));
    auto abandon = [&end](db::UnitOfWork& unit) { return unit.run(end); };
    static_cast<void>(co_await engine.surroundings().source->transaction(read_committed(), abandon));
    co_await delete_in_chunks(engine, store.texts().trim_states, generation);
    co_await delete_in_chunks(engine, store.texts().trim_deltas, generation);
    std::vector<db::Statement> rest;
    rest.push_back(store.statement(store.texts().drop_parked, generation));
    rest.push_back(store.statement(store.texts().drop_lanes, generation));
    rest.push_back(store.statement(store.texts().drop_generation, generation));
    auto body = [&rest](db::UnitOfWork& unit) { return unit.run(rest); };
    static_cast<void>(co_await engine.surroundings().source->transaction(read_committed(), body));
}

}  // namespace sluice::projection::internal
