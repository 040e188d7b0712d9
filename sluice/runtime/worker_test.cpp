#include "sluice/runtime/worker.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/worker_group.hpp"
#include "sluice/runtime/worker_log.hpp"
#include "sluice/testing/log_capture.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

WorkerSettings quick() {
    WorkerSettings settings;
    settings.idle_interval = 1h;
    settings.rest_interval = 1h;
    settings.retry = core::Backoff{.initial = 1ms, .max = 2ms, .multiplier = 2, .jitter = 0};
    return settings;
}

/// Returns when `condition` holds; throws when it does not within 20 s.
Task<void> until(std::function<bool()> condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the condition never held");
        co_await sleep_for(1ms);
    }
}

class Failure final : public core::Error {
public:
    Failure() : core::Error("the database is down") {}
};

struct WorkerLoop : ::testing::Test {
    Shard shard{0, core::real_clock()};
    std::shared_ptr<sluice::testing::CapturingSink> sink = std::make_shared<sluice::testing::CapturingSink>();
    core::Logger log{sink, core::LogLevel::debug};
    WorkerGroup group{shard, log};
    int runs = 0;

    /// An action whose n-th run (from 1) does what `step(n)` says.
    Worker::Action counted(std::function<Directive(int)> step) {
        return [this, step = std::move(step)]() -> Task<Directive> { return perform(runs, step); };
    }
    static Task<Directive> perform(int& count, std::function<Directive(int)> step) { co_return step(++count); }

    void wait_for_runs(int wanted) {
        run_task(shard, until([&] { return runs >= wanted; }));
    }
    bool stop(std::chrono::steady_clock::duration patience = 20s) { return run_task(shard, group.stop(patience)); }
};

TEST_F(WorkerLoop, runs_at_once_and_again_while_there_is_more) {
    group.add("busy", counted([](int n) { return n < 50 ? Directive::proceed(1) : Directive::idle(); }), quick());
    group.start();
    wait_for_runs(50);
    EXPECT_TRUE(stop());
    EXPECT_EQ(runs, 50);
}

TEST_F(WorkerLoop, is_woken_by_a_notification_from_any_thread) {
    Worker& worker = group.add("notified", counted([](int) { return Directive::idle(); }), quick());
    group.start();
    wait_for_runs(1);
    std::jthread([&] { worker.notify(); }).join();
    wait_for_runs(2);
    EXPECT_TRUE(stop());
    EXPECT_EQ(runs, 2);
}

TEST_F(WorkerLoop, sees_everything_that_another_thread_announced) {
    std::atomic<int> made{0};
    int seen = 0;
    Worker* worker = nullptr;
    const auto take = [&](int) {
        seen = made.load();
        return Directive::idle(1);
    };
    worker = &group.add("consumer", counted(take), quick());
    group.start();
    constexpr int kItems = 100'000;
    std::jthread producer([&] {
        for (int i = 0; i < kItems; ++i) {
            made.fetch_add(1);
            worker->notify();
        }
    });
    run_task(shard, until([&] { return seen == kItems; }));
    producer.join();
    EXPECT_TRUE(stop());
}

TEST_F(WorkerLoop, retries_errors_without_being_notified) {
    group.add("failing", counted([](int n) -> Directive {
                  if (n < 5) throw Failure();
                  return Directive::idle(1);
              }),
              quick(), {std::make_shared<WorkerTroubleLog>(log)});
    group.start();
    wait_for_runs(5);
    EXPECT_TRUE(stop());
    EXPECT_TRUE(sink->contains("failing failed (1 in a row), next try in 1 ms: the database is down"));
    EXPECT_TRUE(sink->contains("failing works again after 4 failures"));
    EXPECT_EQ(group.failed(), 0u);
}

TEST_F(WorkerLoop, a_defect_is_caught_and_retried) {
    group.add("buggy", counted([](int n) -> Directive {
                  if (n < 3) throw std::logic_error("off by one");
                  return Directive::idle(1);
              }),
              quick(), {std::make_shared<WorkerTroubleLog>(log)});
    group.start();
    wait_for_runs(3);
    EXPECT_TRUE(stop());
    EXPECT_TRUE(sink->contains("buggy met a defect (2 in a row): off by one"));
}

TEST_F(WorkerLoop, a_defect_ends_the_worker_when_the_policy_says_so) {
    WorkerSettings settings = quick();
    settings.panic = PanicPolicy::propagate;
    group.add("buggy", counted([](int) -> Directive { throw std::logic_error("off by one"); }), settings);
    group.start();
    run_task(shard, until([&] { return group.failed() == 1; }));
    EXPECT_EQ(group.running(), 0u);
    EXPECT_TRUE(stop());
    EXPECT_EQ(runs, 1);
    EXPECT_TRUE(sink->contains("task buggy failed: off by one"));
}

Task<Directive> wait_forever(Shard& shard, int& begun, int& ended) {
    struct OnExit {
        int& count;
        ~OnExit() { ++count; }
    };
    const OnExit on_exit{ended};
    ++begun;
    Wake never(shard);
    co_await never.wait();
    co_return Directive::idle();
}

TEST_F(WorkerLoop, a_stop_waits_for_the_run_in_progress_and_cancels_it_when_patience_is_over) {
    int begun = 0;
    int ended = 0;
    group.add("stuck", [&] { return wait_forever(shard, begun, ended); }, quick());
    group.add("idle", counted([](int) { return Directive::idle(); }), quick());
    group.start();
    run_task(shard, until([&] { return begun == 1 && runs == 1; }));

    EXPECT_FALSE(stop(20ms));

    EXPECT_EQ(ended, 1);
    EXPECT_EQ(group.running(), 0u);
    EXPECT_EQ(group.failed(), 0u);
}

Task<Directive> finish_when(Shard& shard, bool& begun, Worker*& self, bool& finished) {
    (void)shard;
    begun = true;
    while (!self->stopping())
        co_await sleep_for(1ms);
    co_await sleep_for(1ms);
    finished = true;
    co_return Directive::proceed(1);
}

TEST_F(WorkerLoop, the_run_in_progress_finishes_and_none_begins_after_it) {
    bool begun = false;
    bool finished = false;
    Worker* self = nullptr;
    int rounds = 0;
    self = &group.add(
        "long",
        [&] {
            ++rounds;
            return finish_when(shard, begun, self, finished);
        },
        quick());
    group.start();
    run_task(shard, until([&] { return begun; }));
    EXPECT_TRUE(stop());
    EXPECT_TRUE(finished);
    EXPECT_EQ(rounds, 1);
}

TEST_F(WorkerLoop, stops_in_every_kind_of_wait) {
    const auto pool = std::make_shared<PermitPool>(1);
    auto holder = std::make_optional<Permit>(Bulkhead::fixed(pool), [] {});
    WorkerSettings slow = quick();
    slow.active_interval = slow.min_interval = 1h;
    slow.retry.initial = slow.retry.max = 1h;
    group.add("pausing", counted([](int) { return Directive::proceed(1); }), slow);
    group.add("resting", counted([](int) { return Directive::idle(); }), slow);
    group.add("sleeping", counted([](int) { return Directive::sleep(1h); }), slow);
    group.add("backing off", counted([](int) -> Directive { throw Failure(); }), slow);
    group.add("without a permit", counted([](int) { return Directive::idle(); }), slow, {}, Bulkhead::fixed(pool));
    group.start();
    wait_for_runs(4);
    EXPECT_EQ(pool->waiting(), 1u);

    EXPECT_TRUE(stop());

    EXPECT_EQ(runs, 4);
    EXPECT_EQ(pool->waiting(), 0u);
    holder.reset();
    EXPECT_EQ(pool->free(), 1u);
}

Task<Directive> hold_permit(int& inside, int& most, int& total) {
    most = std::max(most, ++inside);
    co_await sleep_for(100us);
    --inside;
    co_return ++total < 60 ? Directive::proceed(1) : Directive::idle();
}

TEST_F(WorkerLoop, no_more_than_the_bulkhead_allows_run_at_once) {
    const auto pool = std::make_shared<PermitPool>(2);
    int inside = 0;
    int most = 0;
    int total = 0;
    for (int i = 0; i < 6; ++i)
        group.add(
            fmt::format("limited {}", i), [&] { return hold_permit(inside, most, total); }, quick(), {},
            Bulkhead::fixed(pool));
    group.start();
    run_task(shard, until([&] { return total >= 60; }));
    EXPECT_TRUE(stop());
    EXPECT_EQ(most, 2);
    EXPECT_EQ(pool->free(), 2u);
}

TEST_F(WorkerLoop, a_cancelled_stop_gives_up_its_patience_but_joins) {
    int begun = 0;
    int ended = 0;
    group.add("stuck", [&] { return wait_forever(shard, begun, ended); }, quick());
    group.start();
    run_task(shard, until([&] { return begun == 1; }));
    TaskScope stoppers(shard, log);
    const auto stop_patiently = [](WorkerGroup& stopped) -> Task<void> { co_await stopped.stop(1h); };
    stoppers.spawn("stopper", stop_patiently(group));
    shard.run_ready();
    EXPECT_EQ(group.running(), 1u);

    stoppers.cancel();
    run_task(shard, stoppers.join());

    EXPECT_EQ(group.running(), 0u);
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(stoppers.failed(), 0u);
}

TEST_F(WorkerLoop, listeners_hear_of_everything_in_order) {
    class Recorder final : public WorkerListener {
    public:
        void on_start(const std::string& worker) noexcept override { heard += worker + " start; "; }
        void on_stop(const std::string&) noexcept override { heard += "stop"; }
        void on_run(const std::string&) noexcept override { heard += "run; "; }
        void on_complete(const std::string&, std::chrono::nanoseconds, const Directive& directive) noexcept override {
            heard += fmt::format("complete {}; ", directive.messages());
        }
        void on_error(const std::string&, const WorkerFailure& failure) noexcept override {
            heard += fmt::format("error {} {}; ", failure.in_a_row, failure.retry_in / 1ms);
        }
        void on_idle(const std::string&, std::chrono::nanoseconds at_most) noexcept override {
            heard += fmt::format("idle {} h; ", at_most / 1h);
        }
        std::string heard;
    };
    const auto recorder = std::make_shared<Recorder>();
    group.add("w", counted([](int n) -> Directive {
                  if (n == 1) return Directive::proceed(7);
                  if (n == 2) throw Failure();
                  return Directive::idle(3);
              }),
              quick(), {recorder});
    group.start();
    wait_for_runs(3);
    EXPECT_TRUE(stop());
    EXPECT_EQ(recorder->heard, "w start; run; complete 7; run; error 1 1; run; complete 3; idle 1 h; stop");
}

TEST_F(WorkerLoop, an_invalid_setting_is_refused_with_the_workers_name) {
    WorkerSettings settings = quick();
    settings.batch = 0;
    try {
        group.add("sweep", counted([](int) { return Directive::idle(); }), settings);
        FAIL() << "accepted";
    } catch (const InvalidSetting& e) {
        EXPECT_EQ(e.setting(), "sweep.batch");
    }
}

TEST(WorkerStatisticsLine, is_written_per_interval_and_silent_when_nothing_happened) {
    core::ManualClock clock;
    auto sink = std::make_shared<sluice::testing::CapturingSink>();
    WorkerStatistics statistics("processor", 60s, clock, core::Logger(sink, core::LogLevel::info));
    statistics.on_start("processor a/0");
    statistics.on_start("processor a/1");
    statistics.on_complete("processor a/0", 2ms, Directive::proceed(10));
    statistics.on_complete("processor a/1", 1ms, Directive::idle());
    EXPECT_TRUE(sink->lines().empty());

    clock.advance(60s);
    statistics.on_error("processor a/1", WorkerFailure{.error = nullptr, .took = 3ms});
    ASSERT_EQ(sink->lines().size(), 1u);
    EXPECT_EQ(sink->lines()[0].text,
              "processor: 10 messages in 60.0 s; 3 runs, 1 empty, 1 failed; 6.0 ms in runs, 2.000 mean, 3.0 longest");

    clock.advance(60s);
    statistics.on_complete("processor a/0", 1ms, Directive::idle());
    EXPECT_EQ(sink->lines().size(), 1u);

    statistics.on_complete("processor a/0", 1ms, Directive::idle(4));
    statistics.on_stop("processor a/0");
    EXPECT_EQ(sink->lines().size(), 1u);
    statistics.on_stop("processor a/1");
    ASSERT_EQ(sink->lines().size(), 2u);
    EXPECT_TRUE(sink->contains("processor: 4 messages in 0.0 s; 1 runs"));
}

TEST(WorkerStatisticsLine, is_never_written_with_an_interval_of_zero) {
    core::ManualClock clock;
    auto sink = std::make_shared<sluice::testing::CapturingSink>();
    WorkerStatistics statistics("processor", 0s, clock, core::Logger(sink, core::LogLevel::info));
    statistics.on_start("processor a/0");
    statistics.on_complete("processor a/0", 2ms, Directive::idle(10));
    statistics.on_stop("processor a/0");
    EXPECT_TRUE(sink->lines().empty());
}

TEST(WorkerTroubles, of_a_long_outage_fill_a_dozen_lines) {
    auto sink = std::make_shared<sluice::testing::CapturingSink>();
    WorkerTroubleLog troubles(core::Logger(sink, core::LogLevel::info));
    WorkerFailure failure;
    failure.error = std::make_exception_ptr(Failure());
    for (failure.in_a_row = 1; failure.in_a_row <= 3'600; ++failure.in_a_row)
        troubles.on_error("sequencer", failure);
    EXPECT_EQ(sink->lines().size(), 12u);
}

}  // namespace
}  // namespace sluice::runtime
