#include "sluice/runtime/scope.hpp"

#include <gtest/gtest.h>

#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/log_capture.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

struct Scope : ::testing::Test {
    Shard shard{0, core::real_clock()};
    std::shared_ptr<sluice::testing::CapturingSink> sink = std::make_shared<sluice::testing::CapturingSink>();
    core::Logger log{sink, core::LogLevel::debug};
};

Task<void> set_when_run(bool& ran) {
    ran = true;
    co_return;
}

Task<void> wait_for_ever(Shard& shard, int& ended) {
    struct OnExit {
        int& count;
        ~OnExit() { ++count; }
    };
    const OnExit on_exit{ended};
    Wake wake(shard);
    co_await wake.wait();
}

Task<void> fail_after_a_moment() {
    co_await sleep_for(1us);
    throw std::runtime_error("disk on fire");
}

Task<void> join_and_note(TaskScope& scope, std::vector<int>& joined, int number) {
    co_await scope.join();
    joined.push_back(number);
}

TEST_F(Scope, join_returns_when_the_last_task_has_ended) {
    TaskScope scope(shard, log);
    bool ran = false;
    scope.spawn("quick", set_when_run(ran));
    EXPECT_EQ(scope.running(), 1u);
    EXPECT_FALSE(ran);  // it starts in a later step

    run_task(shard, scope.join());

    EXPECT_TRUE(ran);
    EXPECT_EQ(scope.running(), 0u);
    EXPECT_EQ(scope.failed(), 0u);
}

TEST_F(Scope, an_empty_scope_is_joined_at_once) {
    TaskScope scope(shard, log);
    run_task(shard, scope.join());
    EXPECT_EQ(scope.running(), 0u);
}

TEST_F(Scope, cancel_ends_every_waiting_task_and_is_not_a_failure) {
    TaskScope scope(shard, log);
    int ended = 0;
    for (int i = 0; i < 50; ++i)
        scope.spawn("sleeper", wait_for_ever(shard, ended));
    shard.run_ready();
    ASSERT_EQ(scope.running(), 50u);

    scope.cancel();
    scope.cancel();
    run_task(shard, scope.join());

    EXPECT_EQ(ended, 50);
    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_TRUE(sink->lines().empty());
}

TEST_F(Scope, a_task_that_has_not_begun_is_dropped_by_cancel) {
    TaskScope scope(shard, log);
    bool queued_ran = false;
    bool late_ran = false;
    scope.spawn("queued", set_when_run(queued_ran));
    scope.cancel();
    scope.spawn("late", set_when_run(late_ran));
    EXPECT_EQ(scope.running(), 1u);

    run_task(shard, scope.join());

    EXPECT_FALSE(queued_ran);
    EXPECT_FALSE(late_ran);
    EXPECT_TRUE(scope.cancelled());
}

TEST_F(Scope, an_exception_is_logged_with_the_name_and_ends_nobody_else) {
    TaskScope scope(shard, log);
    int ended = 0;
    scope.spawn("burner", fail_after_a_moment());
    scope.spawn("neighbour", wait_for_ever(shard, ended));
    const auto burnt_out = [](TaskScope& watched) -> Task<void> {
        while (watched.running() > 1)
            co_await sleep_for(1ms);
    };
    run_task(shard, burnt_out(scope));

    EXPECT_EQ(scope.failed(), 1u);
    EXPECT_EQ(scope.running(), 1u);
    EXPECT_TRUE(sink->contains("task burner failed: disk on fire"));
    scope.cancel();
    run_task(shard, scope.join());
    EXPECT_EQ(ended, 1);
}

TEST_F(Scope, several_may_wait_for_the_end) {
    TaskScope scope(shard, log);
    TaskScope watchers(shard, log);
    int ended = 0;
    std::vector<int> joined;
    scope.spawn("sleeper", wait_for_ever(shard, ended));
    for (int i = 0; i < 3; ++i)
        watchers.spawn("watcher", join_and_note(scope, joined, i));
    shard.run_ready();
    EXPECT_TRUE(joined.empty());

    scope.cancel();
    run_task(shard, watchers.join());

    EXPECT_EQ(joined, (std::vector<int>{0, 1, 2}));
}

TEST_F(Scope, join_outlasts_the_cancellation_of_the_one_who_waits) {
    TaskScope scope(shard, log);
    TaskScope watchers(shard, log);
    int ended = 0;
    std::vector<int> joined;
    scope.spawn("sleeper", wait_for_ever(shard, ended));
    watchers.spawn("watcher", join_and_note(scope, joined, 1));
    shard.run_ready();

    watchers.cancel();
    shard.run_ready();
    EXPECT_EQ(watchers.running(), 1u);
    scope.cancel();
    run_task(shard, watchers.join());

    EXPECT_EQ(joined, std::vector<int>{1});
    EXPECT_EQ(ended, 1);
}

TEST_F(Scope, join_or_cancel_takes_the_tasks_along_when_its_own_is_cancelled) {
    TaskScope scope(shard, log);
    TaskScope watchers(shard, log);
    int ended = 0;
    bool went_on = false;
    const auto watch = [](TaskScope& watched, bool& after) -> Task<void> {
        co_await watched.join_or_cancel();
        after = true;
    };
    scope.spawn("sleeper", wait_for_ever(shard, ended));
    watchers.spawn("watcher", watch(scope, went_on));
    shard.run_ready();

    watchers.cancel();
    run_task(shard, watchers.join());

    EXPECT_EQ(ended, 1);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(scope.running(), 0u);
    EXPECT_EQ(watchers.failed(), 0u);
}

TEST_F(Scope, join_or_cancel_returns_when_all_have_ended) {
    TaskScope scope(shard, log);
    bool ran = false;
    scope.spawn("quick", set_when_run(ran));
    run_task(shard, scope.join_or_cancel());
    EXPECT_TRUE(ran);
    EXPECT_FALSE(scope.cancelled());
}

Task<void> cancel_own(TaskScope& scope, bool& threw) {
    scope.cancel();
    std::exception_ptr error;
    try {
        Wake never(scope.shard());
        co_await never.wait();
    } catch (...) {
        error = std::current_exception();
    }
    threw = is_cancellation(error);
}

TEST_F(Scope, a_task_may_cancel_the_scope_it_runs_in) {
    TaskScope scope(shard, log);
    int ended = 0;
    bool threw = false;
    scope.spawn("sleeper", wait_for_ever(shard, ended));
    scope.spawn("leader", cancel_own(scope, threw));
    run_task(shard, scope.join());
    EXPECT_TRUE(threw);
    EXPECT_EQ(ended, 1);
}

Task<void> clean_up_after_cancel(Shard& shard, bool& cleaned) {
    std::exception_ptr error;
    try {
        Wake wake(shard);
        co_await wake.wait();
    } catch (...) {
        error = std::current_exception();
    }
    co_await begin_cleanup();
    co_await sleep_for(1us);  // would throw without the line above
    cleaned = is_cancellation(error);
}

TEST_F(Scope, a_cancelled_task_can_await_in_its_clean_up) {
    TaskScope scope(shard, log);
    bool cleaned = false;
    scope.spawn("cleaner", clean_up_after_cancel(shard, cleaned));
    shard.run_ready();
    scope.cancel();
    run_task(shard, scope.join());
    EXPECT_TRUE(cleaned);
}

Task<void> own_children(Shard& shard, core::Logger log, int depth, int& ended) {
    TaskScope children(shard, std::move(log));
    for (int i = 0; depth > 0 && i < 3; ++i)
        children.spawn("child", own_children(shard, core::Logger(), depth - 1, ended));
    std::exception_ptr error;
    try {
        Wake wake(shard);
        co_await wake.wait();
    } catch (...) {
        error = std::current_exception();
    }
    co_await begin_cleanup();
    children.cancel();
    co_await children.join();
    ++ended;
    std::rethrow_exception(error);
}

TEST_F(Scope, a_tree_of_scopes_ends_from_its_root) {
    TaskScope root(shard, log);
    int ended = 0;
    root.spawn("root", own_children(shard, log, 4, ended));
    shard.run_ready();
    root.cancel();
    run_task(shard, root.join());
    EXPECT_EQ(ended, 1 + 3 + 9 + 27 + 81);
    EXPECT_EQ(root.failed(), 0u);
}

}  // namespace
}  // namespace sluice::runtime
