// A lane with handlers that fail at random, units whose commit fails at random and crashes, against the promises of
// delivery: every message is done or buried exactly once, and nothing of a key overtakes an earlier message of it.
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/outbox/internal/lane_fsm.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::outbox {
namespace {

using namespace std::chrono_literals;

struct LaneMessage {
    std::int64_t number = 0;
    std::string key;
    bool poison = false;      // fails every time
    bool bad_commit = false;  // its unit cannot commit
};

/// What is durable of one lane.
struct LaneStore {
    std::int64_t cursor = 0;
    std::map<std::int64_t, std::uint32_t> attempts;
    std::map<std::string, std::map<std::int64_t, LaneMessage>> parked;
    std::map<std::string, std::uint32_t> parked_attempts;  // of the first message
    std::vector<LaneMessage> done;
    std::vector<LaneMessage> buried;
};

class LaneWorld {
public:
    LaneWorld(std::uint64_t seed, bool by_message) : random_(seed), by_message_(by_message) {
        make_rules();
        restart();
    }

    void step() {
        now_ += std::chrono::milliseconds(random_.below(40));
        if (random_.below(3) == 0) add();
        if (random_.below(60) == 0) restart();
        act();
    }
    /// No new messages and nothing fails by chance: everything must end.
    void drain() {
        calm_ = true;
        for (int i = 0; i < 200'000 && (pending() > 0 || !store_.parked.empty()); ++i) {
            now_ += 200ms;
            act();
        }
    }
    void check() const {
        ASSERT_EQ(store_.done.size() + store_.buried.size(), log_.size());
        std::set<std::int64_t> once;
        for (const LaneMessage& message : store_.done)
            ASSERT_TRUE(once.insert(message.number).second);
        for (const LaneMessage& message : store_.buried)
            ASSERT_TRUE(once.insert(message.number).second);
        std::map<std::string, std::int64_t> last;
        for (const LaneMessage& message : ended_) {
            ASSERT_GT(message.number, last[message.key]) << "key " << message.key << " out of order";
            last[message.key] = message.number;
        }
    }
    [[nodiscard]] std::size_t parked_once() const { return parked_once_; }
    [[nodiscard]] std::size_t buried() const { return store_.buried.size(); }
    [[nodiscard]] std::size_t messages() const { return log_.size(); }

private:
    void make_rules() {
        rules_.batch = 1 + static_cast<std::uint32_t>(random_.below(80));
        rules_.by_message = by_message_;
        rules_.parked_keys = 1 + static_cast<std::uint32_t>(random_.below(4));
        rules_.retry.backoff = {.initial = 100ms, .max = 2s, .multiplier = 2, .jitter = 0.5};
        rules_.retry.set_aside_after = 1s;
        rules_.retry.max_attempts = 6;
    }
    void add() {
        const std::uint64_t count = 1 + random_.below(20);
        for (std::uint64_t i = 0; i < count; ++i) {
            LaneMessage message;
            message.number = static_cast<std::int64_t>(log_.size()) + 1;
            message.key = "k" + std::to_string(random_.below(8));
            message.poison = random_.below(60) == 0;
            message.bad_commit = random_.below(200) == 0;
            log_.push_back(message);
        }
    }
    void restart() {
        fsm_.emplace(rules_);
        for (const auto& [number, attempts] : store_.attempts)
            fsm_->failed(number, {attempts, now_, now_});
        for (const auto& [group, messages] : store_.parked)
            fsm_->parked().put(group, {{store_.parked_attempts[group], now_, now_}, false});
    }
    [[nodiscard]] std::size_t pending() const { return log_.size() - static_cast<std::size_t>(store_.cursor); }

    void act() {
        const LaneStep step = fsm_->next(now_, pending(), store_.cursor + 1);
        if (step.kind == LaneStep::Kind::batch) run_batch(step);
        if (step.kind == LaneStep::Kind::parked) run_parked(step.group);
    }
    bool fails(const LaneMessage& message) { return message.poison || (!calm_ && random_.below(25) == 0); }
    bool commit_fails(const std::vector<LaneMessage>& touched) {
        for (const LaneMessage& message : touched)
            if (message.bad_commit) return true;
        return false;
    }
    Failure failure(bool apart) {
        Failure made;
        made.now = now_;
        made.random01 = random_.unit();
        made.apart = apart;
        return made;
    }

    /// One unit: what it would write is kept apart until it commits.
    struct Unit {
        LaneStore store;
        std::vector<LaneMessage> handled;
        std::vector<LaneMessage> ended;
        std::vector<std::pair<std::string, ParkedKey>> set_aside;
        std::optional<std::pair<std::int64_t, RetryState>> failed;
        std::uint32_t passed = 0;
        bool undone = false;
    };
    void park(Unit& unit, const LaneMessage& message, std::uint32_t attempts) {
        unit.store.attempts.erase(message.number);
        unit.store.parked[message.key].emplace(message.number, message);
        if (unit.store.parked[message.key].size() == 1) unit.store.parked_attempts[message.key] = attempts;
    }
    void end(Unit& unit, const LaneMessage& message, bool buried) {
        unit.store.attempts.erase(message.number);
        (buried ? unit.store.buried : unit.store.done).push_back(message);
        unit.ended.push_back(message);
    }
    /// Answers whether the batch goes on behind the failed message.
    bool judge(Unit& unit, const LaneMessage& message) {
        const Judgement judgement = fsm_->judge_failure(message.number, failure(false));
        if (judgement.verdict == Verdict::dead_letter) {
            end(unit, message, true);
            return true;
        }
        if (judgement.verdict == Verdict::set_aside) {
            park(unit, message, judgement.state.attempts);
            unit.set_aside.emplace_back(message.key, ParkedKey{judgement.state, false});
            return true;
        }
        unit.store.attempts[message.number] = judgement.state.attempts;
        unit.failed = {message.number, judgement.state};
        return false;
    }
    void run_batch(const LaneStep& step) {
        if (!calm_ && random_.below(40) == 0) return fsm_->disturbed(now_, random_.unit());
        Unit unit{store_, {}, {}, {}, {}, 0, false};
        for (std::uint32_t i = 0; i < step.count; ++i) {
            const LaneMessage& message = log_[static_cast<std::size_t>(store_.cursor) + i];
            if (fsm_->parked().contains(message.key) || unit.store.parked.contains(message.key)) {
                park(unit, message, 0);
            } else if (fails(message)) {
                if (!step.careful) {
                    unit.undone = true;
                    break;
                }
                if (!judge(unit, message)) break;
            } else {
                unit.handled.push_back(message);
                end(unit, message, false);
            }
            unit.passed = i + 1;
        }
        if (unit.undone || commit_fails(unit.handled)) {
            if (fsm_->undone(step.count)) record_alone();
            return;
        }
        commit(unit);
    }
    void record_alone() {
        Unit unit{store_, {}, {}, {}, {}, 0, false};
        if (judge(unit, log_[static_cast<std::size_t>(store_.cursor)])) unit.passed = 1;
        commit(unit);
    }
    void commit(Unit& unit) {
        const std::int64_t before = store_.cursor;
        store_ = unit.store;
        store_.cursor = before + unit.passed;
        ended_.insert(ended_.end(), unit.ended.begin(), unit.ended.end());
        parked_once_ += unit.set_aside.size();
        if (random_.below(50) == 0 && !calm_) return restart();  // killed right after the COMMIT
        fsm_->passed(unit.passed);
        for (std::int64_t number = before + 1; number <= store_.cursor; ++number)
            fsm_->forget(number);
        for (const auto& [group, key] : unit.set_aside)
            fsm_->parked().put(group, key);
        if (unit.failed) fsm_->failed(unit.failed->first, unit.failed->second);
    }
    void run_parked(const std::string& group) {
        Unit unit{store_, {}, {}, {}, {}, 0, false};
        std::optional<ParkedKey> rest;
        auto& waiting = unit.store.parked[group];
        while (!waiting.empty() && !rest) {
            const LaneMessage message = waiting.begin()->second;
            const bool failed = fails(message) || message.bad_commit;
            if (failed) {
                const RetryState before{unit.store.parked_attempts[group], now_, now_};
                const Judgement judgement = outbox::judge(rules_.retry, before, failure(true));
                if (judgement.verdict != Verdict::dead_letter) {
                    unit.store.parked_attempts[group] = judgement.state.attempts;
                    rest = ParkedKey{judgement.state, false};
                    break;
                }
            }
            waiting.erase(waiting.begin());
            unit.store.parked_attempts[group] = 0;
            end(unit, message, failed);
        }
        if (waiting.empty()) unit.store.parked.erase(group);
        store_ = unit.store;
        ended_.insert(ended_.end(), unit.ended.begin(), unit.ended.end());
        if (rest)
            fsm_->parked().put(group, *rest);
        else
            fsm_->parked().erase(group);
        fsm_->parked_done();
    }

    core::Random random_;
    bool by_message_;
    bool calm_ = false;
    LaneRules rules_;
    core::SteadyTime now_{1h};
    std::vector<LaneMessage> log_;
    LaneStore store_;
    std::vector<LaneMessage> ended_;  // in the order in which they were done or buried
    std::optional<LaneFsm> fsm_;
    std::size_t parked_once_ = 0;
};

TEST(LaneFsmModel, every_message_ends_once_and_in_the_order_of_its_key) {
    const char* const chosen = std::getenv("SLUICE_TEST_SEED");
    const std::uint64_t first = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 1;
    std::size_t messages = 0;
    std::size_t parked = 0;
    std::size_t buried = 0;
    for (std::uint64_t seed = first; seed < first + static_cast<std::uint64_t>(testing::scaled(60)); ++seed) {
        SCOPED_TRACE("SLUICE_TEST_SEED=" + std::to_string(seed));
        LaneWorld world(seed, seed % 2 == 0);
        for (int i = 0; i < 400; ++i)
            world.step();
        world.drain();
        world.check();
        ASSERT_FALSE(::testing::Test::HasFatalFailure());
        messages += world.messages();
        parked += world.parked_once();
        buried += world.buried();
    }
    fmt::print("{} messages, {} keys set aside, {} buried\n", messages, parked, buried);
    EXPECT_GT(parked, static_cast<std::size_t>(testing::scaled(100)));
    EXPECT_GT(buried, static_cast<std::size_t>(testing::scaled(100)));
}

}  // namespace
}  // namespace sluice::outbox
