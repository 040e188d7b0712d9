#include "sluice/projection/internal/store.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/db/error.hpp"
#include "sluice/projection/checksum.hpp"
#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/row_values.hpp"

namespace sluice::projection::internal {
namespace {

std::int64_t stored_checksum(std::string_view canonical) {
    return std::bit_cast<std::int64_t>(checksum(canonical));
}

db::Value state_value(const KeyFold& key) {
    if (key.removed) return db::null;
    return key.state;
}

void append_state(const KeyFold& key, std::vector<db::Value>& values) {
    values.emplace_back(key.version.value());
    values.emplace_back(key.epoch.value());
    values.push_back(state_value(key));
    values.emplace_back(stored_checksum(key.state));
    values.emplace_back(key.position.value());
}

std::vector<const KeyFold*> all_of(std::span<const KeyFold> keys) {
    std::vector<const KeyFold*> all;
    all.reserve(keys.size());
    for (const KeyFold& key : keys)
        all.push_back(&key);
    return all;
}

std::string position_list(const std::vector<core::Position>& positions) {
    std::string text = "[";
    for (const core::Position position : positions) {
        if (text.size() > 1) text += ',';
        fmt::format_to(std::back_inserter(text), "{}", position.value());
    }
    return text + "]";
}

}  // namespace

Store::Store(db::Dialect dialect, std::string projection)
    : texts_(internal::texts(dialect)), projection_(std::move(projection)) {}

db::Statement Store::load(std::int64_t generation, const std::vector<std::string>& keys) const {
    return statement(texts_.load, generation, keys);
}

db::Statement Store::load_alone(std::int64_t generation, const std::vector<std::string>& keys) const {
    // One order for all: units that lock several keys do not wait for each other in a circle.
    std::vector<std::string> in_order = keys;
    std::ranges::sort(in_order);
    return statement(texts_.load_alone, generation, std::move(in_order));
}

std::vector<db::Statement> Store::hold(Hold how) const {
    std::vector<db::Statement> statements;
    const bool skipped = how == Hold::alone && core::mutant("projection_nobody_is_alone");
    if (skipped) return statements;
    for (const std::string& sql : how == Hold::alone ? texts_.hold_alone : texts_.hold)
        statements.push_back(statement(sql));
    return statements;
}

std::vector<db::Statement> Store::count_alone() const {
    std::vector<db::Statement> statements;
    if (core::mutant("projection_nobody_is_alone")) return statements;
    for (const std::string& sql : texts_.count_alone)
        statements.push_back(statement(sql));
    return statements;
}

bool Store::is_overtaken(std::span<const db::Result> held, const Generation& seen) const {
    if (texts_.count_alone.empty() || held.empty() || held.back().empty()) return false;
    if (core::mutant("projection_overtaken_unit_goes_on")) return false;
    return held.back().rows.front().get<std::int64_t>(0) != seen.alone;
}

void Store::fill(const db::Result& rows, KeyStates& states) {
    for (const db::Row& row : rows) {
        KeyState& state = states[row.get<std::string>(0)];
        std::optional<std::string> bytes = row.get<std::optional<std::string>>(3);
        state.stored = true;
        state.removed = !bytes.has_value();
        state.bytes = std::move(bytes).value_or(std::string());
        state.version = core::Version(row.get<std::int64_t>(1));
        state.epoch = core::Epoch(row.get<std::int64_t>(2));
        state.position = core::Position(row.get<std::int64_t>(5));
        if (row.get<std::int64_t>(4) != stored_checksum(state.bytes))
            state.defect = "its bytes do not match their checksum";
    }
}

std::vector<Generation> Store::generations(const db::Result& rows) {
    std::vector<Generation> generations;
    for (const db::Row& row : rows) {
        Generation& generation = generations.emplace_back();
        generation.number = row.get<std::int64_t>("generation");
        generation.state_version = static_cast<int>(row.get<std::int64_t>("state_version"));
        generation.status = row.get<std::string>("status");
        generation.epoch = core::Epoch(row.get<std::int64_t>("epoch"));
        generation.epoch_given = core::Epoch(row.get<std::int64_t>("epoch_given"));
        generation.ledger_epoch = core::Epoch(row.get<std::int64_t>("ledger_epoch"));
        if (const auto began = row.get<std::optional<std::int64_t>>("began")) generation.began = core::Position(*began);
        generation.base = core::Position(row.get<std::int64_t>("base"));
        generation.progress = row.get<std::string>("progress");
        generation.alone = row.get<std::int64_t>("alone");
    }
    return generations;
}

std::vector<LanePosition> Store::lanes(const db::Result& rows) {
    std::vector<LanePosition> lanes;
    for (const db::Row& row : rows)
        lanes.push_back({core::LaneId(static_cast<std::uint16_t>(row.get<std::int64_t>(0))), row.get<std::int64_t>(1),
                         core::Position(row.get<std::int64_t>(2))});
    return lanes;
}

/// Cuts `keys` into statements of the sizes that there are texts for; each must touch all its rows.
template <class Append>
void Store::in_chunks(const RowTexts& texts, std::int64_t generation, std::span<const KeyFold* const> keys,
                      Writes& writes, Append append) const {
    for (const RowsText& text : texts) {
        while (!keys.empty() && (texts_.form != RowForm::values || keys.size() >= text.rows)) {
            std::vector<db::Value> values;
            std::size_t rows = 0;
            std::size_t bytes = 0;
            while (rows < std::min(keys.size(), text.rows) && bytes < text.bytes) {
                const std::size_t before = values.size();
                append(*keys[rows++], values);
                bytes += text_bytes(std::span(values).subspan(before));
            }
            db::Statement made = statement(text.sql, generation);
            std::ranges::move(in_form(texts_.form, std::move(values), rows), std::back_inserter(made.values));
            writes.push_back({std::move(made), rows});
            keys = keys.subspan(rows);
        }
    }
}

void Store::write_states(std::int64_t generation, std::span<const KeyFold> keys, Writes& writes) const {
    std::vector<const KeyFold*> fresh;
    std::vector<const KeyFold*> known;
    for (const KeyFold& key : keys)
        (key.had_row ? known : fresh).push_back(&key);
    std::ranges::sort(known, {}, &KeyFold::key);
    std::ranges::sort(fresh, {}, &KeyFold::key);
    in_chunks(texts_.update, generation, known, writes, [](const KeyFold& key, std::vector<db::Value>& values) {
        values.emplace_back(key.key);
        values.emplace_back(key.loaded_version.value());
        values.emplace_back(key.epoch.value());
        append_state(key, values);
    });
    in_chunks(texts_.insert, generation, fresh, writes, [](const KeyFold& key, std::vector<db::Value>& values) {
        values.emplace_back(key.key);
        append_state(key, values);
    });
}

void Store::write_deltas(std::int64_t generation, StreamPosition at, std::span<const KeyFold> keys,
                         Writes& writes) const {
    in_chunks(texts_.insert_delta, generation, all_of(keys), writes,
              [at](const KeyFold& key, std::vector<db::Value>& values) {
                  values.emplace_back(at.stream);
                  values.emplace_back(at.stream == kDirectStream ? key.first_version.value() : at.position);
                  values.emplace_back(key.key);
                  values.emplace_back(key.first_version.value());
                  values.emplace_back(key.version.value());
                  values.emplace_back(join_lines(key.deltas));
                  values.emplace_back(position_list(key.positions));
                  values.push_back(key.undo ? db::Value(*key.undo) : db::Value(db::null));
              });
}

void Store::put_states(std::int64_t generation, std::span<const KeyFold> keys, Writes& writes) const {
    const std::size_t before = writes.size();
    in_chunks(texts_.put, generation, all_of(keys), writes, [](const KeyFold& key, std::vector<db::Value>& values) {
        values.emplace_back(key.key);
        append_state(key, values);
    });
    if (texts_.counts_put) return;
    for (Write& write : std::span(writes).subspan(before))
        write.must_affect.reset();
}

void Store::remove_deltas(std::int64_t generation, std::span<const db::Result> found, Writes& writes) const {
    std::set<std::tuple<std::int64_t, std::int64_t, std::string>> rows;  // in their order, each once
    for (const db::Result& result : found)
        for (const db::Row& row : result)
            rows.emplace(row.get<std::int64_t>(0), row.get<std::int64_t>(1), row.get<std::string>(2));
    if (rows.empty()) return;
    std::vector<db::Value> values;
    for (const auto& [stream, position, key] : rows) {
        values.emplace_back(stream);
        values.emplace_back(position);
        values.emplace_back(key);
    }
    db::Statement remove = statement(texts_.remove_deltas, generation);
    std::ranges::move(in_form(RowForm::json, std::move(values), rows.size()), std::back_inserter(remove.values));
    writes.push_back({std::move(remove), std::nullopt});
}

Write Store::park(std::int64_t generation, const ParkedEvent& event, const outbox::Message& message) const {
    const auto created = std::chrono::duration_cast<std::chrono::microseconds>(message.created_at.time_since_epoch());
    return {statement(texts_.park, generation, event.key, message.position.value(), event.failed ? "failed" : "waiting",
                      message.queue, message.lane.value(), message.sequence.value(), message.id.value(),
                      message.ledger_epoch.value(), message.key, message.type, db::to_bytes(message.payload),
                      message.tenant, created.count(), storable(event.text)),
            std::nullopt};
}

std::string Store::payload_of(const db::Row& row) {
    const db::Value& value = row.at(row.index_of("payload"));
    // Rows of earlier versions hold text.
    if (const auto* text = std::get_if<std::string>(&value.variant())) return *text;
    return std::string(db::as_text(row.get<db::Bytes>("payload")));
}

db::TransactionOptions read_committed() {
    db::TransactionOptions options;
    constexpr int kMostRetries = 10;
    options.isolation = db::Isolation::read_committed;
    options.retry_serialization = kMostRetries;
    return options;
}

db::Task<void> hold_alone(const Store& store, db::Session& session) {
    std::vector<db::Statement> statements = store.hold(Hold::alone);
    std::ranges::move(store.count_alone(), std::back_inserter(statements));
    if (!statements.empty()) static_cast<void>(co_await session.run(std::move(statements)));
}

std::string join_lines(std::span<const std::string> texts) {
    std::string lines;
    for (const std::string& text : texts) {
        if (!lines.empty()) lines += '\n';
        lines += text;
    }
    return lines;
}

std::vector<std::string> split_lines(std::string_view lines) {
    std::vector<std::string> texts;
    while (true) {
        const std::size_t end = lines.find('\n');
        texts.emplace_back(lines.substr(0, end));
        if (end == std::string_view::npos) return texts;
        lines.remove_prefix(end + 1);
    }
}

std::string storable(std::string_view text) {
    constexpr std::size_t kLongest = 1'000;
    std::string kept(text.substr(0, kLongest));
    if (core::is_utf8(kept) && !kept.contains('\0')) return kept;
    std::ranges::replace_if(kept, [](char c) { return c <= 0; }, '?');
    return kept;
}

db::Task<void> run_writes(db::Session& session, std::string projection, Writes writes) {
    std::vector<db::Statement> statements;
    std::vector<std::optional<std::uint64_t>> must_affect;
    statements.reserve(writes.size());
    for (Write& write : writes) {
        statements.push_back(std::move(write.statement));
        must_affect.push_back(write.must_affect);
    }
    std::vector<db::Result> results;
    try {
        results = co_await session.run(std::move(statements));
    } catch (const db::Error& e) {
        if (e.kind() != db::ErrorKind::conflict) throw;
        throw Error(ErrorKind::conflict, projection,
                    "a row that had not been there is there: somebody else wrote it; the unit must run again",
                    std::current_exception());
    }
    if (core::mutant("projection_version_predicate_off")) co_return;
    for (std::size_t i = 0; i < results.size(); ++i)
        if (must_affect[i] && results[i].affected != *must_affect[i])
            throw Error(ErrorKind::conflict, projection,
                        fmt::format("{} of {} rows were not as they had been read: somebody else wrote them; the unit "
                                    "must run again",
                                    *must_affect[i] - results[i].affected, *must_affect[i]));
}

}  // namespace sluice::projection::internal
