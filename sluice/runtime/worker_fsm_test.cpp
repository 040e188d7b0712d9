#include "sluice/runtime/worker_fsm.hpp"

#include <cstdlib>
#include <optional>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;
using Step = WorkerAction::Step;

constexpr core::SteadyTime kBegin{1h};

WorkerSettings paced() {
    WorkerSettings settings;
    settings.active_interval = 10ms;
    settings.min_interval = 4ms;
    settings.ramp_step = 3ms;
    settings.idle_interval = 50ms;
    settings.rest_interval = 300ms;
    settings.retry = core::Backoff{.initial = 100ms, .max = 1s, .multiplier = 2, .jitter = 0};
    return settings;
}

/// A machine that was brought to its next run.
struct WorkerRules : ::testing::Test {
    WorkerFsm fsm{paced()};
    core::SteadyTime now = kBegin;

    void SetUp() override { run_from(fsm.start()); }
    void run_from(WorkerAction action) {
        ASSERT_EQ(action.step, Step::acquire);
        ASSERT_EQ(fsm.permitted().step, Step::run);
    }
    void expect_wait(const WorkerAction& action, std::chrono::nanoseconds duration) const {
        EXPECT_EQ(action.step, Step::wait);
        EXPECT_EQ(action.until - now, duration);
    }
    void pass(std::chrono::nanoseconds duration) { now += duration; }
};

TEST_F(WorkerRules, the_first_run_is_at_once) {
    expect_wait(fsm.ran(Directive::idle(), now), 50ms);
}

TEST_F(WorkerRules, busy_runs_ramp_from_the_active_to_the_smallest_interval) {
    for (const auto pause : {10ms, 7ms, 4ms, 4ms}) {
        expect_wait(fsm.ran(Directive::proceed(1), now), pause);
        pass(pause);
        run_from(fsm.woken(now));
    }
    expect_wait(fsm.ran(Directive::idle(1), now), 50ms);
    pass(50ms);
    run_from(fsm.woken(now));
    expect_wait(fsm.ran(Directive::proceed(1), now), 10ms);  // rest resets the ramp
}

TEST_F(WorkerRules, without_a_pause_a_busy_worker_goes_on_at_once) {
    WorkerSettings settings = paced();
    settings.active_interval = settings.min_interval = 0ms;
    WorkerFsm eager(settings);
    ASSERT_EQ(eager.start().step, Step::acquire);
    ASSERT_EQ(eager.permitted().step, Step::run);
    EXPECT_EQ(eager.ran(Directive::proceed(1), now).step, Step::acquire);
}

TEST_F(WorkerRules, idle_runs_rest_longer_and_longer_up_to_the_rest_interval) {
    for (const auto rest : {50ms, 100ms, 200ms, 300ms, 300ms}) {
        expect_wait(fsm.ran(Directive::idle(), now), rest);
        pass(rest);
        run_from(fsm.woken(now));
    }
    expect_wait(fsm.ran(Directive::idle(5), now), 50ms);  // it found something
}

TEST_F(WorkerRules, a_notification_ends_rest_and_sleep) {
    ASSERT_EQ(fsm.ran(Directive::idle(), now).step, Step::wait);
    fsm.notify();
    run_from(fsm.woken(now));
    ASSERT_EQ(fsm.ran(Directive::sleep(1h), now).step, Step::wait);
    fsm.notify();
    run_from(fsm.woken(now));
}

TEST_F(WorkerRules, a_wake_up_for_nothing_changes_nothing) {
    expect_wait(fsm.ran(Directive::sleep(80ms), now), 80ms);
    pass(30ms);
    expect_wait(fsm.woken(now), 50ms);
    pass(50ms);
    run_from(fsm.woken(now));
}

TEST_F(WorkerRules, a_notification_during_the_run_means_another_run) {
    fsm.notify();
    run_from(fsm.ran(Directive::idle(), now));
    expect_wait(fsm.ran(Directive::idle(), now), 100ms);  // once, however often it was notified
}

TEST_F(WorkerRules, a_notification_does_not_shorten_the_pause_but_is_kept) {
    expect_wait(fsm.ran(Directive::proceed(1), now), 10ms);
    fsm.notify();
    expect_wait(fsm.woken(now), 10ms);
    pass(10ms);
    run_from(fsm.woken(now));
}

TEST_F(WorkerRules, a_notification_while_waiting_for_a_permit_is_met_by_the_run_that_follows) {
    ASSERT_EQ(fsm.ran(Directive::sleep(0ms), now).step, Step::acquire);
    EXPECT_EQ(fsm.woken(now).until, core::SteadyTime::max());
    fsm.notify();
    EXPECT_EQ(fsm.woken(now).step, Step::wait);
    ASSERT_EQ(fsm.permitted().step, Step::run);
    EXPECT_EQ(fsm.ran(Directive::idle(), now).step, Step::wait);
}

TEST_F(WorkerRules, errors_back_off_to_the_limit_and_are_retried_by_time_alone) {
    std::uint32_t failures = 0;
    for (const auto delay : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
        expect_wait(fsm.failed(now, 0.5), delay);
        EXPECT_EQ(fsm.failures(), ++failures);
        fsm.notify();
        expect_wait(fsm.woken(now), delay);  // new traffic does not hurry it
        pass(delay);
        run_from(fsm.woken(now));
    }
    ASSERT_EQ(fsm.ran(Directive::idle(), now).step, Step::wait);
    EXPECT_EQ(fsm.failures(), 0u);
}

TEST_F(WorkerRules, a_good_run_ends_the_back_off) {
    pass(0ms);
    expect_wait(fsm.failed(now, 0), 100ms);
    pass(100ms);
    run_from(fsm.woken(now));
    expect_wait(fsm.ran(Directive::proceed(1), now), 10ms);
    pass(10ms);
    run_from(fsm.woken(now));
    expect_wait(fsm.failed(now, 0), 100ms);
}

TEST_F(WorkerRules, a_panic_is_retried_or_ends_the_worker_as_the_policy_says) {
    expect_wait(fsm.panicked(now, 0), 100ms);

    WorkerSettings settings = paced();
    settings.panic = PanicPolicy::propagate;
    WorkerFsm strict(settings);
    ASSERT_EQ(strict.start().step, Step::acquire);
    ASSERT_EQ(strict.permitted().step, Step::run);
    EXPECT_EQ(strict.panicked(now, 0).step, Step::stop);
}

TEST_F(WorkerRules, stop_ends_every_wait_and_lets_a_run_finish) {
    struct Case {
        const char* name;
        std::function<WorkerAction(WorkerFsm&)> reach;
    };
    const std::vector<Case> cases{
        {"pausing", [&](WorkerFsm& m) { return m.ran(Directive::proceed(1), now); }},
        {"idle", [&](WorkerFsm& m) { return m.ran(Directive::idle(), now); }},
        {"sleeping", [&](WorkerFsm& m) { return m.ran(Directive::sleep(1h), now); }},
        {"backing off", [&](WorkerFsm& m) { return m.failed(now, 0); }},
    };
    for (const Case& waiting : cases) {
        WorkerFsm before(paced());
        (void)before.start();
        (void)before.permitted();
        before.request_stop();
        EXPECT_EQ(waiting.reach(before).step, Step::stop) << "asked while running, then " << waiting.name;

        WorkerFsm during(paced());
        (void)during.start();
        (void)during.permitted();
        ASSERT_EQ(waiting.reach(during).step, Step::wait) << waiting.name;
        during.request_stop();
        EXPECT_EQ(during.woken(now).step, Step::stop) << waiting.name;
    }
    WorkerFsm acquiring(paced());
    (void)acquiring.start();
    acquiring.request_stop();
    EXPECT_EQ(acquiring.permitted().step, Step::stop);
}

/// Ten runs of which run `at` goes wrong in way `how`; all ten must happen without any notification.
TEST_F(WorkerRules, a_failure_at_any_step_costs_its_back_off_and_nothing_else) {
    for (int how = 0; how < 2; ++how) {
        for (int at = 0; at < 10; ++at) {
            WorkerFsm machine(paced());
            core::SteadyTime time = kBegin;
            WorkerAction next = machine.start();
            for (int run = 0; run < 10; ++run) {
                ASSERT_EQ(next.step, Step::acquire);
                ASSERT_EQ(machine.permitted().step, Step::run);
                if (run != at)
                    next =
                        run % 2 == 0 ? machine.ran(Directive::proceed(1), time) : machine.ran(Directive::idle(), time);
                else
                    next = how == 0 ? machine.failed(time, 0.3) : machine.panicked(time, 0.3);
                ASSERT_EQ(next.step, Step::wait);
                ASSERT_LE(next.until - time, 300ms);
                time = next.until;
                next = machine.woken(time);
            }
        }
    }
}

/// A world around one machine: permits that take their time, actions that end at random, notifications at any moment.
class RandomWorld {
public:
    explicit RandomWorld(std::uint64_t seed) : random_(seed), fsm_(settings()), next_(fsm_.start()) {}

    void walk(int steps) {
        for (int i = 0; i < steps && next_.step != Step::stop; ++i)
            step();
    }
    void stop_and_expect_the_end() {
        fsm_.request_stop();
        for (int i = 0; i < 3 && next_.step != Step::stop; ++i) {
            const std::uint64_t runs_before = runs_;
            step();
            if (running_) {
                EXPECT_EQ(runs_, runs_before) << "a run began after stop";
                end_run();
            }
        }
        EXPECT_EQ(next_.step, Step::stop);
    }
    [[nodiscard]] std::uint64_t runs() const { return runs_; }

private:
    static WorkerSettings settings() {
        WorkerSettings made = paced();
        made.retry.jitter = 0.5;
        return made;
    }

    void step() {
        if (random_.below(4) == 0) notify();
        switch (next_.step) {
            case Step::acquire:
                next_ = random_.below(2) == 0 ? fsm_.permitted() : fsm_.woken(now_);
                waiting_for_permit_ = next_.step == Step::wait;
                if (next_.step == Step::run) begin_run();
                break;
            case Step::run:
                end_run();
                break;
            case Step::wait:
                end_wait();
                break;
            case Step::stop:
                break;
        }
    }

    void end_wait() {
        if (waiting_for_permit_) {
            ASSERT_EQ(next_.until, core::SteadyTime::max());
            now_ += std::chrono::microseconds(random_.below(5'000));
            const bool granted = random_.below(2) == 0;
            next_ = granted ? fsm_.permitted() : fsm_.woken(now_);
            waiting_for_permit_ = next_.step == Step::wait;
            if (next_.step == Step::run) begin_run();
            return;
        }
        const auto longest = std::chrono::nanoseconds(1s);
        ASSERT_LE(next_.until - now_, longest) << "a wait that no time ends";
        const bool early = random_.below(3) == 0;
        const auto left = std::max(next_.until - now_, std::chrono::nanoseconds(0));
        now_ += early ? left / 2 : left;
        const WorkerAction before = next_;
        next_ = fsm_.woken(now_);
        if (next_.step == Step::wait) {
            EXPECT_LT(now_, before.until) << "time was up";
            EXPECT_EQ(next_.until, before.until) << "a wake-up for nothing moved the deadline";
            EXPECT_TRUE(deaf_ || !pending_) << "a notification was lost";
        }
    }

    void begin_run() {
        ASSERT_FALSE(running_) << "two runs at once";
        running_ = true;
        ++runs_;
        pending_ = false;
    }

    void end_run() {
        running_ = false;
        now_ += std::chrono::microseconds(random_.below(20'000));
        const auto outcome = random_.below(6);
        if (outcome < 3) {
            failures_ = 0;
            deaf_ = outcome == 0;
            const Directive directive = outcome == 0 ? Directive::proceed(1)
                                        : outcome == 1
                                            ? Directive::idle(random_.below(2))
                                            : Directive::sleep(std::chrono::microseconds(random_.below(9'000)));
            next_ = fsm_.ran(directive, now_);
        } else {
            deaf_ = true;
            const double random01 = random_.unit();
            next_ = outcome == 5 ? fsm_.panicked(now_, random01) : fsm_.failed(now_, random01);
            ++failures_;
            if (next_.step == Step::wait) {
                const auto delay = next_.until - now_;
                const auto full = std::min<std::chrono::nanoseconds>(100ms * (1 << std::min(failures_ - 1, 10u)), 1s);
                EXPECT_GE(delay, full / 2);
                EXPECT_LE(delay, full);
            }
        }
        EXPECT_TRUE(next_.step != Step::wait || deaf_ || !pending_) << "a notification during the run was lost";
        waiting_for_permit_ = false;
    }

    void notify() {
        fsm_.notify();
        pending_ = true;
    }

    core::Random random_;
    WorkerFsm fsm_;
    WorkerAction next_;
    core::SteadyTime now_ = kBegin;
    bool running_ = false;
    bool pending_ = false;  // a notification that no run has followed yet
    bool deaf_ = false;     // the wait is a pause or a back-off
    bool waiting_for_permit_ = false;
    std::uint32_t failures_ = 0;
    std::uint64_t runs_ = 0;
};

TEST(WorkerRandomWalk, loses_no_wake_up_never_runs_twice_at_once_and_always_stops) {
    const std::uint64_t first_seed = std::random_device{}();
    std::uint64_t runs = 0;
    for (std::uint64_t i = 0; i < 2'000; ++i) {
        SCOPED_TRACE(fmt::format("seed {}", first_seed + i));
        RandomWorld world(first_seed + i);
        world.walk(300);
        world.stop_and_expect_the_end();
        runs += world.runs();
        if (::testing::Test::HasFailure()) return;
    }
    EXPECT_GT(runs, 50'000u);
}

}  // namespace
}  // namespace sluice::runtime
