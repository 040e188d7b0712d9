// Random interleavings of what producers, groups, crashes and other processes do to one file, against the promises of
// the ledger: no message skipped, none twice, sequences and positions dense, a key in one lane in the order of its
// commits.
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/tick_codec.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::outbox {
namespace {

struct Row {
    std::int64_t id = 0;
    std::int32_t queue = 0;
    std::string key;
};

/// What is durable: messages and ticks, the latter through the codec.
struct Store {
    std::map<std::int64_t, Row> messages;
    std::vector<Tick> ticks;  // by n - 1; trimmed ones keep their place
    std::size_t first_kept = 0;
    std::int64_t last_id = 0;  // AUTOINCREMENT

    void put(Tick tick) {
        auto runs = decode_runs(encode_runs(tick.runs, tick.lowest_id), tick.lowest_id);
        ASSERT_TRUE(runs);
        tick.runs = std::move(*runs);
        if (tick.checkpoint) tick.checkpoint = decode_checkpoint(encode_checkpoint(*tick.checkpoint)).value();
        ticks.push_back(std::move(tick));
    }
};

/// One process: its memory of the ledger is a guess that each group checks.
class Process {
public:
    explicit Process(Store& store) : store_(store) {}

    void restart() { ledger_.reset(); }

    /// The hook: what waits is numbered in at most `limit` messages; `commits` decides whether the group becomes
    /// durable.
    void number(Store& group, std::size_t limit, bool commits) {
        if (!ledger_) load();
        for (std::size_t i = static_cast<std::size_t>(ledger_->newest()); i < store_.ticks.size(); ++i)
            ASSERT_TRUE(ledger_->apply(store_.ticks[i]));
        std::vector<NewMessage> fresh;
        for (auto row = group.messages.upper_bound(ledger_->highest_id());
             row != group.messages.end() && fresh.size() < limit; ++row)
            fresh.push_back({row->first, row->second.queue, row->second.key});
        if (fresh.empty()) return;
        const Tick tick = ledger_->plan(fresh, core::SystemTime(std::chrono::seconds(1))).tick;
        group.put(tick);
        if (commits) {
            ASSERT_TRUE(ledger_->apply(tick));
        }
    }

private:
    void load() {
        ledger_.emplace();
        ledger_->declare(1, 8);
        ledger_->declare(2, 1);
        std::size_t from = store_.ticks.size();
        while (from > store_.first_kept && !store_.ticks[from - 1].checkpoint)
            --from;
        if (from > store_.first_kept) --from;
        for (std::size_t i = from; i < store_.ticks.size(); ++i)
            ASSERT_TRUE(ledger_->apply(store_.ticks[i]));
    }

    Store& store_;
    std::optional<Ledger> ledger_;
};

class World {
public:
    explicit World(std::uint64_t seed) : random_(seed), ours_(store_), other_(store_) {}

    void step() {
        switch (random_.below(12)) {
            case 0:
                return ours_.restart();
            case 1:
                return other_.restart();
            case 2:
                return write_from_shell();
            case 3:
                return trim();
            default:
                return run_group(random_.below(5) == 0 ? other_ : ours_);
        }
    }

    void check() {
        while (numbered_rows() < store_.messages.size())
            run_group(ours_, true);
        std::map<LaneRef, std::int64_t> next;
        std::map<std::pair<std::int32_t, std::string>, std::pair<LaneRef, std::int64_t>> keys;
        std::set<std::int64_t> seen;
        std::int64_t position = 0;
        for (const Tick& tick : store_.ticks) {
            ASSERT_EQ(tick.first_position.value(), position + 1);
            position += tick.count();
            for (const LaneRun& run : tick.runs) {
                for (std::size_t i = 0; i < run.ids.size(); ++i) {
                    ASSERT_TRUE(seen.insert(run.ids[i]).second) << "twice: " << run.ids[i];
                    const std::int64_t sequence = run.first.value() + static_cast<std::int64_t>(i);
                    ASSERT_EQ(sequence, ++next[run.lane]);
                    const Row& row = store_.messages.at(run.ids[i]);
                    ASSERT_EQ(row.queue, run.lane.queue);
                    if (row.key.empty()) continue;
                    auto& last = keys[{row.queue, row.key}];
                    ASSERT_TRUE(last.second == 0 || last.first == run.lane) << "a key in two lanes";
                    ASSERT_GT(row.id, last.second) << "a key out of order";
                    last = {run.lane, row.id};
                }
            }
        }
        std::size_t known = 0;
        for (const auto& [id, row] : store_.messages)
            known += row.queue < 3 ? 1U : 0U;
        ASSERT_EQ(seen.size(), known);
        messages_ = seen.size();
    }
    [[nodiscard]] std::size_t messages() const { return messages_; }

private:
    Row random_row() {
        const std::int32_t queue = random_.below(50) == 0 ? 7 : 1 + static_cast<std::int32_t>(random_.below(2));
        return {0, queue, random_.below(4) == 0 ? "" : "k" + std::to_string(random_.below(12))};
    }
    void insert(Store& into, Row row) {
        row.id = ++into.last_id;
        into.messages.emplace(row.id, row);
    }

    /// Units one after another with savepoints; some roll back, then the whole group may. Ids come back with it.
    void run_group(Process& process, bool must_commit = false) {
        Store group = changes();
        const std::uint64_t units = random_.below(4);
        for (std::uint64_t u = 0; u < units; ++u) {
            const Store before_unit = group;
            const std::uint64_t writes = random_.below(4);
            for (std::uint64_t w = 0; w < writes; ++w) {
                const Store before_savepoint = group;
                insert(group, random_row());
                if (random_.below(6) == 0) group = before_savepoint;
            }
            if (random_.below(5) == 0) group = before_unit;
        }
        const std::uint64_t fate = must_commit ? 9 : random_.below(10);
        process.number(group, 1 + random_.below(6), fate > 1);
        if (fate > 0) {
            // 1: the process dies right after the COMMIT, before it could remember.
            if (fate == 1) process.restart();
            commit(group);
        } else if (random_.below(2) == 0) {
            process.restart();
        }
    }

    /// Copies of what a group may change: the tail of the messages is enough.
    Store changes() {
        Store group;
        group.last_id = store_.last_id;
        group.messages.insert(store_.messages.upper_bound(numbered_up_to_), store_.messages.end());
        return group;
    }
    void commit(const Store& group) {
        for (const auto& [id, row] : group.messages)
            store_.messages.emplace(id, row);
        store_.last_id = std::max(store_.last_id, group.last_id);
        for (const Tick& tick : group.ticks) {
            ASSERT_EQ(tick.n, static_cast<std::int64_t>(store_.ticks.size()) + 1) << "two ticks of one number";
            store_.ticks.push_back(tick);
            numbered_up_to_ = tick.highest_id;
        }
    }
    void write_from_shell() { insert(store_, random_row()); }

    /// Retention: older rows go, the oldest kept becomes a checkpoint.
    void trim() {
        if (store_.ticks.size() < store_.first_kept + 2) return;
        const std::size_t kept = store_.first_kept + random_.below(store_.ticks.size() - store_.first_kept);
        Ledger replayed;
        for (std::size_t i = store_.first_kept; i < kept; ++i)
            ASSERT_TRUE(replayed.apply(store_.ticks[i]));
        if (kept == store_.first_kept) return;
        store_.ticks[kept].checkpoint = replayed.checkpoint();
        store_.first_kept = kept;
    }

    std::size_t numbered_rows() const {
        return static_cast<std::size_t>(
            std::distance(store_.messages.begin(), store_.messages.upper_bound(numbered_up_to_)));
    }

    core::Random random_;
    Store store_;
    std::int64_t numbered_up_to_ = 0;
    Process ours_;
    Process other_;
    std::size_t messages_ = 0;
};

TEST(LedgerModel, no_interleaving_skips_doubles_or_reorders) {
    const char* const chosen = std::getenv("SLUICE_TEST_SEED");
    const std::uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
    const int worlds = testing::scaled(2'000);
    constexpr int kSteps = 500;
    std::size_t messages = 0;
    for (int i = 0; i < worlds; ++i) {
        const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
        SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(seed));
        World world(seed);
        for (int step = 0; step < kSteps && !::testing::Test::HasFatalFailure(); ++step)
            world.step();
        world.check();
        ASSERT_FALSE(::testing::Test::HasFatalFailure());
        messages += world.messages();
    }
    fmt::print("{} steps, {} messages\n", worlds * kSteps, messages);
    EXPECT_GT(messages, static_cast<std::size_t>(testing::scaled(100'000)));
}

}  // namespace
}  // namespace sluice::outbox
