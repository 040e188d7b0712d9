#include "sluice/db/sqlite/internal/group_fsm.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::db::sqlite {
namespace {

using namespace std::chrono_literals;

const char* name_of(ActionKind kind) {
    static const std::map<ActionKind, const char*> names{{ActionKind::sleep, "sleep"},
                                                         {ActionKind::linger, "linger"},
                                                         {ActionKind::attend, "attend"},
                                                         {ActionKind::answer, "answer"},
                                                         {ActionKind::stop, "stop"},
                                                         {ActionKind::probe, "probe"},
                                                         {ActionKind::begin, "begin"},
                                                         {ActionKind::savepoint, "savepoint"},
                                                         {ActionKind::run, "run"},
                                                         {ActionKind::release, "release"},
                                                         {ActionKind::undo, "undo"},
                                                         {ActionKind::hook, "hook"},
                                                         {ActionKind::commit, "commit"},
                                                         {ActionKind::roll_back, "roll_back"},
                                                         {ActionKind::tell_committed, "tell_committed"},
                                                         {ActionKind::tell_rolled_back, "tell_rolled_back"}};
    return names.at(kind);
}

const char* name_of(Verdict verdict) {
    static const std::map<Verdict, const char*> names{{Verdict::done, "done"},
                                                      {Verdict::failed, "failed"},
                                                      {Verdict::overdue, "overdue"},
                                                      {Verdict::deadline, "deadline"},
                                                      {Verdict::group_lost, "lost"},
                                                      {Verdict::begin_failed, "begin_failed"},
                                                      {Verdict::commit_failed, "commit_failed"}};
    return names.at(verdict);
}

bool waits(ActionKind kind) {
    return kind == ActionKind::sleep || kind == ActionKind::linger || kind == ActionKind::attend ||
           kind == ActionKind::stop;
}

/// A database that checks that the machine's steps make sense, and fails where the test says so.
class Stage {
public:
    explicit Stage(GroupLimits limits = {}) : fsm(limits) {}

    void ask(UnitId unit, AskKind kind, bool first, SteadyTime deadline = SteadyTime::max()) {
        Ask made;
        made.unit = unit;
        made.kind = kind;
        made.first = first;
        made.deadline = deadline;
        fsm.submit(made);
    }
    void commits(UnitId unit) { ask(unit, AskKind::commit, true); }

    /// Performs actions until the machine waits; answers that last action.
    Action play() {
        for (;;) {
            const Action action = fsm.next(now);
            if (waits(action.kind)) return action;
            if (action.kind == ActionKind::answer) {
                note_answer(action);
                continue;
            }
            log += fmt::format("{}{} ", name_of(action.kind), action.unit == 0 ? "" : fmt::format("({})", action.unit));
            Outcome outcome;
            outcome.wrote = wrote;
            if (const auto found = failures.find(steps); found != failures.end()) outcome.step = found->second;
            if (fail) outcome.step = fail(action);
            ++steps;
            check(action, outcome);
            fsm.on(outcome, now);
        }
    }

    GroupFsm fsm;
    SteadyTime now{1h};
    std::map<int, Step> failures;             // by number of the step
    std::function<Step(const Action&)> fail;  // or by action
    bool wrote = false;
    int steps = 0;
    std::string log;
    std::map<UnitId, std::string> told;

private:
    void note_answer(const Action& action) {
        log += fmt::format("{}={}{} ", action.unit, name_of(action.verdict), action.over ? "!" : "");
        told[action.unit] += fmt::format("{}{}", name_of(action.verdict), action.over ? "!" : " ");
        if (action.over && action.verdict == Verdict::done) {
            ASSERT_FALSE(in_transaction_ && in_group_.contains(action.unit));
        }
    }

    void check(const Action& action, const Outcome& outcome) {
        const bool ok = outcome.step == Step::ok;
        switch (action.kind) {
            case ActionKind::begin:
                ASSERT_FALSE(in_transaction_);
                in_transaction_ = ok;
                break;
            case ActionKind::savepoint:
                ASSERT_TRUE(in_transaction_ && unit_ == 0) << log;
                if (ok) unit_ = action.unit;
                break;
            case ActionKind::run:
                ASSERT_EQ(unit_, action.unit) << log;
                break;
            case ActionKind::release:
                ASSERT_EQ(unit_, action.unit) << log;
                if (!ok) break;
                in_group_.insert(unit_);
                unit_ = 0;
                break;
            case ActionKind::undo:
                ASSERT_EQ(unit_, action.unit) << log;
                unit_ = 0;
                break;
            case ActionKind::hook:
                ASSERT_TRUE(in_transaction_ && unit_ == 0 && !hook_open_) << log;
                hook_open_ = true;
                break;
            case ActionKind::commit:
                ASSERT_TRUE(in_transaction_ && unit_ == 0 && hook_open_) << log;
                if (ok) end_transaction();
                break;
            case ActionKind::roll_back:
                ASSERT_TRUE(in_transaction_) << log;
                end_transaction();
                break;
            case ActionKind::tell_committed:
            case ActionKind::tell_rolled_back:
                ASSERT_TRUE(hook_open_ && !in_transaction_) << log;
                hook_open_ = false;
                break;
            default:
                break;
        }
        if (outcome.step == Step::gone) end_transaction();
    }
    void end_transaction() {
        in_transaction_ = false;
        unit_ = 0;
        in_group_.clear();
    }

    bool in_transaction_ = false;
    bool hook_open_ = false;
    UnitId unit_ = 0;
    std::unordered_set<UnitId> in_group_;
};

constexpr std::array<UnitId, 3> kThree{1, 2, 3};

GroupLimits without_lingering() {
    GroupLimits limits;
    limits.linger_most = 0ns;
    return limits;
}

TEST(GroupFsm, one_unit_is_a_group) {
    Stage stage;
    stage.commits(1);
    EXPECT_EQ(stage.play().kind, ActionKind::sleep);
    EXPECT_EQ(stage.log, "begin savepoint(1) run(1) release(1) hook commit tell_committed 1=done! ");
}

TEST(GroupFsm, waiting_units_share_one_commit_in_order_of_asking) {
    Stage stage;
    stage.commits(3);
    stage.commits(1);
    stage.commits(2);
    stage.play();
    EXPECT_EQ(stage.log,
              "begin savepoint(3) run(3) release(3) savepoint(1) run(1) release(1) savepoint(2) run(2) release(2) hook "
              "commit tell_committed 3=done! 1=done! 2=done! ");
}

TEST(GroupFsm, a_units_requests_run_one_after_another_while_others_wait) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.commits(2);
    EXPECT_EQ(stage.play().kind, ActionKind::attend);
    stage.ask(1, AskKind::run, false);
    EXPECT_EQ(stage.play().kind, ActionKind::attend);
    stage.ask(1, AskKind::commit, false);
    stage.play();
    EXPECT_EQ(stage.log,
              "begin savepoint(1) run(1) 1=done run(1) 1=done run(1) release(1) savepoint(2) run(2) release(2) hook "
              "commit tell_committed 1=done! 2=done! ");
}

TEST(GroupFsm, a_unit_that_rolls_back_leaves_its_neighbours_alone) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.commits(2);
    stage.play();
    stage.ask(1, AskKind::rollback, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "done done!");
    EXPECT_EQ(stage.told[2], "done!");
    EXPECT_NE(stage.log.find("undo(1) 1=done! savepoint(2)"), std::string::npos) << stage.log;
}

TEST(GroupFsm, a_group_whose_units_all_rolled_back_is_rolled_back_without_the_hook) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.play();
    stage.ask(1, AskKind::rollback, false);
    stage.play();
    EXPECT_EQ(stage.log, "begin savepoint(1) run(1) 1=done undo(1) 1=done! roll_back ");
}

TEST(GroupFsm, a_group_ends_at_its_limit) {
    GroupLimits limits;
    limits.units = 2;
    Stage stage(limits);
    for (UnitId unit : kThree)
        stage.commits(unit);
    stage.play();
    EXPECT_EQ(stage.log,
              "begin savepoint(1) run(1) release(1) savepoint(2) run(2) release(2) hook commit tell_committed 1=done! "
              "2=done! begin savepoint(3) run(3) release(3) hook commit tell_committed 3=done! ");
}

TEST(GroupFsm, an_old_group_takes_no_further_unit) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.commits(2);
    stage.play();
    stage.now += 51ms;
    stage.ask(1, AskKind::commit, false);
    stage.play();
    EXPECT_EQ(
        stage.log,
        "begin savepoint(1) run(1) 1=done run(1) release(1) hook commit tell_committed 1=done! begin savepoint(2) "
        "run(2) release(2) hook commit tell_committed 2=done! ");
}

TEST(GroupFsm, a_failed_statement_leaves_the_unit_open) {
    Stage stage;
    stage.failures[2] = Step::failed;
    stage.ask(1, AskKind::run, true);
    EXPECT_EQ(stage.play().kind, ActionKind::attend);
    EXPECT_EQ(stage.told[1], "failed ");
    stage.ask(1, AskKind::commit, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "failed done!");
}

TEST(GroupFsm, a_unit_that_holds_the_writer_too_long_is_rolled_back_and_told_at_its_next_request) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.commits(2);
    const Action attend = stage.play();
    EXPECT_EQ(attend.until, stage.now + 1s);
    stage.now += 1s;
    stage.play();
    EXPECT_EQ(stage.told[1], "done ");
    EXPECT_EQ(stage.told[2], "done!");
    stage.ask(1, AskKind::commit, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "done overdue!");
}

TEST(GroupFsm, an_overdue_unit_that_rolls_back_is_done) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.play();
    stage.now += 2s;
    stage.play();
    stage.ask(1, AskKind::rollback, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "done done!");
}

TEST(GroupFsm, a_statement_that_outlasts_the_limit_lets_its_unit_commit_but_not_go_on) {
    for (const AskKind next : {AskKind::commit, AskKind::run}) {
        Stage stage;
        stage.fail = [&](const Action& action) {
            if (action.kind == ActionKind::run) stage.now += 1500ms;
            return Step::ok;
        };
        stage.ask(1, AskKind::run, true);
        const Action attend = stage.play();
        EXPECT_EQ(attend.kind, ActionKind::attend);
        EXPECT_EQ(attend.until, stage.now + 50ms);
        stage.ask(1, next, false);
        stage.play();
        EXPECT_EQ(stage.told[1], next == AskKind::commit ? "done done!" : "done overdue!");
    }
}

TEST(GroupFsm, a_unit_whose_deadline_passed_is_not_started_nor_continued) {
    Stage stage;
    stage.ask(1, AskKind::commit, true, stage.now - 1ns);
    stage.ask(2, AskKind::run, true, stage.now + 1ms);
    stage.play();
    stage.now += 2ms;
    stage.ask(2, AskKind::commit, false, stage.now - 1ms);
    stage.play();
    EXPECT_EQ(stage.told[1], "deadline!");
    EXPECT_EQ(stage.told[2], "done deadline!");
}

TEST(GroupFsm, a_withdrawn_first_request_needs_no_rollback) {
    Stage stage;
    stage.failures[1] = Step::withdrawn;
    stage.commits(1);
    stage.commits(2);
    stage.play();
    EXPECT_FALSE(stage.told.contains(1));
    EXPECT_EQ(stage.log.find("undo"), std::string::npos);
    EXPECT_EQ(stage.told[2], "done!");
}

TEST(GroupFsm, a_withdrawn_later_request_rolls_the_unit_back) {
    Stage stage;
    stage.ask(1, AskKind::run, true);
    stage.play();
    stage.failures[3] = Step::withdrawn;
    stage.ask(1, AskKind::commit, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "done ");
    EXPECT_EQ(stage.log, "begin savepoint(1) run(1) 1=done run(1) undo(1) roll_back ");
}

TEST(GroupFsm, when_the_group_cannot_begin_those_that_waited_are_told_and_later_ones_get_their_own_try) {
    Stage stage;
    stage.commits(1);
    stage.commits(2);
    stage.fail = [&](const Action& action) {
        if (action.kind != ActionKind::begin || stage.steps > 0) return Step::ok;
        stage.commits(3);
        return Step::failed;
    };
    stage.play();
    EXPECT_EQ(stage.told[1], "begin_failed!");
    EXPECT_EQ(stage.told[2], "begin_failed!");
    EXPECT_EQ(stage.told[3], "done!");
}

TEST(GroupFsm, a_group_without_units_is_committed_only_if_the_hook_wrote) {
    for (const bool wrote : {false, true}) {
        Stage stage;
        stage.wrote = wrote;
        stage.fsm.request_group(true);
        stage.play();
        EXPECT_EQ(stage.log, wrote ? "begin hook commit tell_committed " : "begin hook roll_back tell_rolled_back ");
    }
}

TEST(GroupFsm, an_unforced_group_begins_only_if_others_committed) {
    Stage quiet;
    quiet.fsm.request_group(false);
    quiet.play();
    EXPECT_EQ(quiet.log, "probe ");
    Stage changed;
    changed.wrote = true;
    changed.fsm.request_group(false);
    changed.play();
    EXPECT_EQ(changed.log, "probe begin hook commit tell_committed ");
}

TEST(GroupFsm, units_take_a_wanted_group_along) {
    Stage stage;
    stage.fsm.request_group(true);
    stage.fsm.request_group(false);
    stage.commits(1);
    stage.play();
    EXPECT_EQ(stage.log, "begin savepoint(1) run(1) release(1) hook commit tell_committed 1=done! ");
}

TEST(GroupFsm, closing_serves_what_waits_and_then_stops) {
    Stage stage;
    stage.commits(1);
    stage.fsm.close();
    EXPECT_EQ(stage.play().kind, ActionKind::stop);
    EXPECT_EQ(stage.told[1], "done!");
}

TEST(GroupFsm, lingers_for_as_many_units_as_came_lately_but_at_most_a_quarter_of_a_commit) {
    Stage stage;
    stage.fail = [&](const Action& action) {
        if (action.kind == ActionKind::commit) stage.now += 400us;
        return Step::ok;
    };
    stage.commits(1);
    stage.commits(2);
    EXPECT_EQ(stage.play().kind, ActionKind::sleep);
    stage.commits(1);
    const Action linger = stage.play();
    EXPECT_EQ(linger.kind, ActionKind::linger);
    EXPECT_EQ(linger.until, stage.now + 100us);
    stage.commits(2);
    EXPECT_EQ(stage.play().kind, ActionKind::sleep);
    EXPECT_EQ(stage.told[2], "done!done!");
}

TEST(GroupFsm, does_not_linger_longer_than_it_said_nor_for_a_single_client) {
    Stage stage;
    stage.fail = [&](const Action& action) {
        if (action.kind == ActionKind::commit) stage.now += 400us;
        return Step::ok;
    };
    stage.commits(1);
    stage.commits(2);
    stage.play();
    stage.commits(1);
    stage.now = stage.play().until;
    EXPECT_EQ(stage.play().kind, ActionKind::sleep);
    for (int i = 0; i < 2; ++i) {
        stage.commits(1);
        stage.now = stage.play().until == SteadyTime::max() ? stage.now : stage.now + 1ms;
        stage.play();
    }
    stage.commits(1);
    EXPECT_EQ(stage.play().kind, ActionKind::sleep) << "after two groups of one, nobody else is expected";
}

TEST(GroupFsm, a_rollback_that_crosses_the_answer_of_a_commit_changes_nothing) {
    Stage stage;
    stage.fail = [&](const Action& action) {
        if (action.kind == ActionKind::run) stage.ask(1, AskKind::rollback, false);
        return Step::ok;
    };
    stage.commits(1);
    stage.play();
    EXPECT_EQ(stage.told[1], "done!");
    stage.ask(1, AskKind::rollback, false);
    stage.play();
    EXPECT_EQ(stage.told[1], "done!done!");
}

/// Three units: one request, two requests, one request. Every step fails in every way, once each.
class GroupFsmFailures : public ::testing::TestWithParam<Step> {
protected:
    static void play_script(Stage& stage) {
        stage.commits(1);
        stage.ask(2, AskKind::run, true);
        stage.commits(3);
        while (stage.play().kind == ActionKind::attend)
            stage.ask(2, AskKind::commit, false);
    }
    static int steps_of_script() {
        Stage stage(without_lingering());
        play_script(stage);
        return stage.steps;
    }
};

TEST_P(GroupFsmFailures, at_each_step_end_in_one_answer_for_everybody_and_an_idle_writer) {
    const int steps = steps_of_script();
    ASSERT_GT(steps, 10);
    for (int failing = 0; failing < steps; ++failing) {
        Stage stage(without_lingering());
        stage.failures[failing] = GetParam();
        play_script(stage);
        SCOPED_TRACE(fmt::format("step {}: {}", failing, stage.log));
        EXPECT_TRUE(stage.fsm.at_rest());
        for (UnitId unit : kThree)
            EXPECT_EQ(std::ranges::count(stage.told[unit], '!'), 1);
        stage.failures.clear();
        stage.commits(9);
        stage.play();
        EXPECT_EQ(stage.told[9], "done!") << "the writer stays usable";
    }
}

TEST_P(GroupFsmFailures, inside_one_unit_harm_the_group_only_if_the_transaction_is_gone) {
    Stage stage(without_lingering());
    stage.fail = [](const Action& action) {
        return action.kind == ActionKind::run && action.unit == 2 ? GetParam() : Step::ok;
    };
    stage.commits(1);
    stage.commits(2);
    stage.commits(3);
    stage.play();
    EXPECT_EQ(stage.told[1], GetParam() == Step::gone ? "lost!" : "done!");
    EXPECT_EQ(stage.told[2], "failed!");
    EXPECT_EQ(stage.told[3], "done!");
}

TEST_P(GroupFsmFailures, of_the_release_fail_that_unit) {
    Stage stage(without_lingering());
    stage.fail = [](const Action& action) {
        return action.kind == ActionKind::release && action.unit == 2 ? GetParam() : Step::ok;
    };
    for (UnitId unit : kThree)
        stage.commits(unit);
    stage.play();
    EXPECT_EQ(stage.told[1], GetParam() == Step::gone ? "lost!" : "done!");
    EXPECT_EQ(stage.told[2], "failed!");
    EXPECT_EQ(stage.told[3], "done!");
}

TEST_P(GroupFsmFailures, of_the_hook_or_the_commit_acknowledge_nobody_and_tell_the_hook) {
    for (const ActionKind kind : {ActionKind::hook, ActionKind::commit}) {
        Stage stage(without_lingering());
        stage.fail = [&](const Action& action) { return action.kind == kind ? GetParam() : Step::ok; };
        for (UnitId unit : kThree)
            stage.commits(unit);
        stage.play();
        const char* const expected = kind == ActionKind::hook ? "lost!" : "commit_failed!";
        for (UnitId unit : kThree)
            EXPECT_EQ(stage.told[unit], expected);
        EXPECT_NE(stage.log.find("tell_rolled_back"), std::string::npos);
        EXPECT_EQ(stage.log.find("tell_committed"), std::string::npos);
    }
}

INSTANTIATE_TEST_SUITE_P(BothWays, GroupFsmFailures, ::testing::Values(Step::failed, Step::gone),
                         [](const auto& given) { return given.param == Step::gone ? "gone" : "failed"; });

/// Random clients, random failures: every request is answered exactly once, whatever happens.
TEST(GroupFsmModel, random_interleavings_answer_every_request_once) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto one_in = [&](int n) { return std::uniform_int_distribution<int>(1, n)(random) == 1; };
    GroupLimits limits;
    limits.units = 5;
    Stage stage(limits);
    std::map<UnitId, int> asked;
    std::map<UnitId, bool> open;  // the unit has not been told that it is over
    UnitId next_unit = 1;
    stage.fail = [&](const Action& action) {
        stage.now += std::chrono::microseconds(std::uniform_int_distribution<int>(0, 400)(random));
        if (one_in(25)) return action.kind == ActionKind::roll_back ? Step::ok : Step::failed;
        if (one_in(60) && action.kind != ActionKind::begin && action.kind != ActionKind::probe) return Step::gone;
        return Step::ok;
    };
    for (int i = 0; i < 30'000; ++i) {
        stage.log.clear();
        stage.wrote = one_in(2);
        if (one_in(3)) {
            const UnitId unit = next_unit++;
            stage.ask(unit, one_in(2) ? AskKind::run : AskKind::commit, true,
                      one_in(30) ? stage.now : SteadyTime::max());
            ++asked[unit];
            open[unit] = true;
        }
        if (one_in(40)) stage.fsm.request_group(one_in(2));
        const Action last = stage.play();
        if (::testing::Test::HasFatalFailure()) return;
        if (one_in(50)) stage.now += 3s;
        for (auto& [unit, answers] : stage.told) {
            if (answers.empty()) continue;
            // One that committed may still wait for its group.
            const auto answered = std::ranges::count_if(answers, [](char c) { return c == ' ' || c == '!'; });
            ASSERT_LE(answered, asked[unit]) << unit << ": " << answers << "; " << stage.log;
            if (last.kind == ActionKind::sleep) {
                ASSERT_EQ(answered, asked[unit]) << unit << ": " << answers << "; " << stage.log;
            }
            if (answers.back() == '!') open[unit] = false;
        }
        // Whoever is open and answered may ask again.
        std::vector<UnitId> idle;
        for (const auto& [unit, is_open] : open) {
            const std::string& answers = stage.told[unit];
            const auto given = std::ranges::count_if(answers, [](char c) { return c == ' ' || c == '!'; });
            if (is_open && given == asked[unit]) idle.push_back(unit);
        }
        for (UnitId unit : idle) {
            if (one_in(4)) continue;  // it takes its time
            stage.ask(unit, one_in(3) ? AskKind::run : (one_in(3) ? AskKind::rollback : AskKind::commit), false);
            ++asked[unit];
        }
        std::erase_if(open, [&](const auto& entry) {
            if (entry.second) return false;
            stage.told.erase(entry.first);
            asked.erase(entry.first);
            return true;
        });
        ASSERT_LE(open.size(), 60U) << "units are stuck; waiting for " << name_of(last.kind);
        if (last.kind == ActionKind::linger) stage.now = last.until;
    }
}

}  // namespace
}  // namespace sluice::db::sqlite
