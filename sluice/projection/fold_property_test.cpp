// live == rebuild == reference, byte for byte, for events that do not commute: random batch cuts, redelivery, lost
// batches, states that live in a cache or come back from their bytes.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <gtest/gtest.h>

#include "sluice/core/json.hpp"
#include "sluice/projection/fold.hpp"
#include "sluice/projection/internal/test_definitions.hpp"
#include "sluice/projection/test_journal_model.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

std::uint64_t property_seed() {
    if (const char* given = std::getenv("SLUICE_TEST_SEED")) return std::strtoull(given, nullptr, 10);
    return std::random_device{}();
}

/// What a database would keep of one key.
struct Row {
    std::string bytes;
    bool removed = false;
    std::int64_t version = 0;
    std::int64_t position = 0;
};

/// A live projection over a log: commits batches, forgets some, sees some twice.
class Live {
public:
    Live(std::shared_ptr<const Definition> definition, const std::vector<outbox::Message>& log, JournalMaker& chance,
         bool replay_deltas)
        : definition_(std::move(definition)), log_(log), chance_(chance), replay_deltas_(replay_deltas) {}

    void run() {
        while (next_ < log_.size()) {
            const std::size_t from = chance_.pick(10) == 0 ? back_up() : next_;
            const std::size_t size = static_cast<std::size_t>(chance_.pick(chance_.pick(4) == 0 ? 400 : 20)) + 1;
            batch(from, std::min(log_.size(), from + size));
        }
    }

    std::map<std::string, Row> rows;
    std::map<std::string, std::vector<std::int64_t>> parked;
    std::uint64_t folded = 0;

private:
    std::size_t back_up() {
        const auto steps = static_cast<std::size_t>(chance_.pick(30));
        return next_ - std::min(next_, steps);
    }

    void batch(std::size_t from, std::size_t to) {
        const std::span<const outbox::Message> messages = std::span(log_).subspan(from, to - from);
        const std::vector<FoldEvent> events = intake(*definition_, {}, messages);
        KeyStates states = std::move(cache_);
        cache_.clear();
        load(events, states);
        const FoldResult result = fold(*definition_, events, states, {.undo = replay_deltas_});
        if (chance_.pick(8) == 0) return;  // the commit failed: nothing of this batch happened, the cache is gone
        commit(result, messages);
        next_ = std::max(next_, to);
        if (chance_.pick(3) != 0) cache_ = std::move(states);
    }

    void load(const std::vector<FoldEvent>& events, KeyStates& states) const {
        for (const FoldEvent& event : events)
            for (const std::string& key : event.keys) {
                const auto [entry, is_new] = states.try_emplace(key);
                if (!is_new) continue;
                entry->second.parked = parked.contains(key);
                if (const auto row = rows.find(key); row != rows.end()) fill(entry->second, row->second);
            }
    }
    static void fill(KeyState& state, const Row& row) {
        state.stored = true;
        state.bytes = row.bytes;
        state.removed = row.removed;
        state.version = core::Version(row.version);
        state.position = core::Position(row.position);
    }

    void commit(const FoldResult& result, std::span<const outbox::Message> messages) {
        for (const KeyFold& key : result.keys) {
            Row& row = rows[key.key];
            ASSERT_EQ(key.loaded_version.value(), row.version);
            ASSERT_EQ(key.deltas.size(), static_cast<std::size_t>(key.version.value() - row.version));
            ASSERT_EQ(key.positions.size(), key.deltas.size());
            if (replay_deltas_) check_deltas(key, row);
            row = {key.state, key.removed, key.version.value(), key.position.value()};
        }
        for (const ParkedEvent& event : result.parked) {
            std::vector<std::int64_t>& waiting = parked[event.key];
            const std::int64_t position = messages[event.event].position.value();
            if (std::ranges::find(waiting, position) == waiting.end()) waiting.push_back(position);
        }
        folded += result.folded;
    }

    static std::string canonical(const std::string& json) {
        return core::json::encode(core::json::decode<JournalState>(json).value());
    }
    /// A browser that applies the patches, and a reader that goes back by the undo patch, see what the database has.
    static void check_deltas(const KeyFold& key, const Row& row) {
        const std::string empty = core::json::encode(JournalState{});
        const std::string before = row.bytes.empty() ? empty : row.bytes;
        const std::string after = key.state.empty() ? empty : key.state;
        std::string shown = before;
        for (const std::string& delta : key.deltas)
            shown = delta == "null" ? empty : core::json::apply_merge_patch(shown, delta).value();
        ASSERT_EQ(canonical(shown), after);
        ASSERT_TRUE(key.undo.has_value());
        ASSERT_EQ(canonical(core::json::apply_merge_patch(after, *key.undo).value()), before);
    }

    std::shared_ptr<const Definition> definition_;
    const std::vector<outbox::Message>& log_;
    JournalMaker& chance_;
    bool replay_deltas_;
    KeyStates cache_;
    std::size_t next_ = 0;
};

void expect_equal(const std::map<std::string, Row>& rows, const JournalModel& model) {
    std::size_t stored = 0;
    for (const auto& [name, key] : model.keys()) {
        if (key.version == 0) continue;
        ++stored;
        ASSERT_TRUE(rows.contains(name)) << name;
        const Row& row = rows.at(name);
        ASSERT_EQ(row.version, key.version) << name;
        ASSERT_EQ(row.position, key.position) << name;
        ASSERT_EQ(row.removed, key.removed) << name;
        ASSERT_EQ(row.bytes, key.removed ? "" : core::json::encode(key.state)) << name;
    }
    ASSERT_EQ(rows.size(), stored);
}

/// One pass without deltas, in chunks, as a rebuild does it.
std::map<std::string, Row> rebuilt(const Definition& definition, const std::vector<outbox::Message>& log) {
    KeyStates states;
    constexpr std::size_t kChunk = 1'000;
    for (std::size_t from = 0; from < log.size(); from += kChunk) {
        const auto chunk = std::span(log).subspan(from, std::min(kChunk, log.size() - from));
        const FoldResult result = fold(definition, intake(definition, {}, chunk), states, {.deltas = false});
        EXPECT_TRUE(result.keys.empty());
    }
    std::map<std::string, Row> rows;
    for (const auto& [name, state] : states) {
        if (!state.dirty) continue;
        rows[name] = {state.removed ? "" : definition.encode_state(*state.state), state.removed, state.version.value(),
                      state.position.value()};
    }
    return rows;
}

std::uint64_t one_journal(std::uint64_t seed, std::shared_ptr<const Definition> definition, int events, bool deltas) {
    JournalMaker maker(seed, 1 + static_cast<int>(seed % 60));
    JournalModel model;
    std::vector<outbox::Message> log;
    for (std::int64_t position = 1; position <= events; ++position) {
        const Journal::Event event = maker.next();
        model.take(event, position);
        log.push_back(message_of(event, position));
    }
    Live live(definition, log, maker, deltas);
    live.run();
    expect_equal(live.rows, model);
    expect_equal(rebuilt(*definition, log), model);
    for (const auto& [name, key] : model.keys())
        EXPECT_EQ(live.parked.contains(name) ? live.parked.at(name) : std::vector<std::int64_t>{}, key.parked) << name;
    return live.folded;
}

TEST(fold_property, live_equals_rebuild_equals_reference) {
    const std::uint64_t seed = property_seed();
    const int rounds = testing::scaled(100);
    std::uint64_t folded = 0;
    for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(seed + static_cast<std::uint64_t>(round)));
        folded += one_journal(seed + static_cast<std::uint64_t>(round), define<ShortJournal>(), 12'000, false);
    }
    RecordProperty("events_folded", std::to_string(folded));
    std::cout << "seed " << seed << ": " << folded << " events folded\n";
}

TEST(fold_property, patches_lead_forward_and_back) {
    const std::uint64_t seed = property_seed();
    const int rounds = testing::scaled(20);
    for (int round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
        SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(seed + static_cast<std::uint64_t>(round)));
        static_cast<void>(one_journal(seed + static_cast<std::uint64_t>(round), define<Journal>(), 1'000, true));
    }
}

}  // namespace
}  // namespace sluice::projection
