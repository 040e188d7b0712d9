#include "sluice/projection/internal/reader.hpp"

#include <bit>
#include <utility>

#include <fmt/format.h>

#include "sluice/projection/checksum.hpp"
#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {
namespace {

/// Frames that have passed must not be newer than what is read, so a replica will not do; SQLite's readers see every
/// commit.
db::AccessIntent up_to_date(const db::DataSource& source) {
    return source.dialect() == db::Dialect::sqlite ? db::AccessIntent::read : db::AccessIntent::write;
}

[[noreturn]] void never_prepared(const Engine& engine) {
    throw Error(ErrorKind::config, engine.definition().name(), "it was never prepared in this database");
}

/// A row of `read`, `read_many` or `list`, whose state may be null.
RawState state_of(const Engine& engine, const db::Row& row, std::string key) {
    RawState raw;
    raw.key = std::move(key);
    raw.stale = row.get<std::int64_t>("state_version") != engine.definition().state_version();
    raw.epoch = core::Epoch(row.get<std::int64_t>("epoch"));
    raw.version = core::Version(row.get<std::optional<std::int64_t>>("version").value_or(0));
    std::optional<std::string> state = row.get<std::optional<std::string>>("state");
    raw.exists = state.has_value();
    if (!state) {
        raw.state = engine.definition().encode_state(*engine.definition().initial());
        return raw;
    }
    if (std::bit_cast<std::uint64_t>(row.get<std::int64_t>("checksum")) != checksum(*state))
        throw Error(ErrorKind::stored_state, engine.definition().name(),
                    fmt::format("key '{}': the stored state does not match its checksum: rebuild the key", raw.key));
    raw.state = std::move(*state);
    return raw;
}

db::Task<db::Result> query(const Engine& engine, db::Statement statement) {
    db::DataSource& source = *engine.surroundings().source;
    const std::unique_ptr<db::Connection> connection = co_await source.acquire(up_to_date(source));
    std::vector<db::Statement> statements;
    statements.push_back(std::move(statement));
    std::vector<db::Result> results = co_await connection->run(std::move(statements));
    co_return std::move(results.front());
}

/// Adds the versions of one delta row that are in (after, to].
void add_versions(const db::Row& row, core::Version after, core::Version to, std::vector<RawDelta>& deltas) {
    const std::vector<std::string> texts = split_lines(row.get<std::string>("deltas"));
    std::int64_t version = row.get<std::int64_t>("first_version");
    for (const std::string& text : texts) {
        if (version > after.value() && version <= to.value()) deltas.push_back({core::Version(version), text});
        ++version;
    }
}

}  // namespace

db::Task<RawState> read_raw(const Engine& engine, std::string key) {
    const Store& store = engine.store();
    const db::Result rows = co_await query(engine, store.statement(store.texts().read, key));
    if (rows.empty()) never_prepared(engine);
    co_return state_of(engine, rows.rows.front(), std::move(key));
}

db::Task<std::vector<RawState>> read_many_raw(const Engine& engine, std::vector<std::string> keys) {
    const Store& store = engine.store();
    const db::Result rows = co_await query(engine, store.statement(store.texts().read_many, std::move(keys)));
    std::vector<RawState> states;
    for (const db::Row& row : rows)
        states.push_back(state_of(engine, row, row.get<std::string>("key")));
    co_return states;
}

db::Task<std::vector<RawState>> list_raw(const Engine& engine, std::string prefix, std::int64_t limit,
                                         std::string after) {
    const Store& store = engine.store();
    const db::Result rows =
        co_await query(engine, store.statement(store.texts().list, prefix, std::move(after), limit));
    std::vector<RawState> states;
    for (const db::Row& row : rows) {
        std::string key = row.get<std::string>("key");
        if (!key.starts_with(prefix)) break;
        states.push_back(state_of(engine, row, std::move(key)));
    }
    co_return states;
}

db::Task<std::optional<std::vector<RawDelta>>> range_raw(const Engine& engine, std::string key, core::Epoch epoch,
                                                         core::Version after, core::Version to) {
    const Store& store = engine.store();
    const db::Result rows =
        co_await query(engine, store.statement(store.texts().range, std::move(key), after.value(), to.value()));
    if (rows.empty()) never_prepared(engine);
    std::vector<RawDelta> deltas;
    if (rows.rows.front().get<std::int64_t>("epoch") != epoch.value()) co_return std::nullopt;
    for (const db::Row& row : rows)
        if (row.get<std::optional<std::int64_t>>("first_version")) add_versions(row, after, to, deltas);
    const std::int64_t wanted = to.value() - after.value();
    if (static_cast<std::int64_t>(deltas.size()) != wanted) co_return std::nullopt;
    co_return deltas;
}

}  // namespace sluice::projection::internal
