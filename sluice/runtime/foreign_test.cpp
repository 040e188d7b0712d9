#include "sluice/runtime/foreign.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::runtime {
namespace {

/// A thread that answers what it is asked, as a database's writer does.
class ForeignThread {
public:
    using Job = std::move_only_function<void()>;

    ~ForeignThread() {
        push({});
        thread_.join();
    }
    void push(Job job) {
        {
            const std::scoped_lock lock(mutex_);
            jobs_.push_back(std::move(job));
        }
        ready_.notify_one();
    }

private:
    void serve() {
        for (;;) {
            std::unique_lock lock(mutex_);
            ready_.wait(lock, [this] { return !jobs_.empty(); });
            Job job = std::move(jobs_.front());
            jobs_.erase(jobs_.begin());
            lock.unlock();
            if (!job) return;
            job();
        }
    }

    std::mutex mutex_;
    std::condition_variable ready_;
    std::vector<Job> jobs_;
    std::thread thread_{[this] { serve(); }};
};

Task<std::string> ask(ForeignThread& thread, std::string question) {
    std::string text = co_await await_foreign<std::string>([&](Answer<std::string> answer) {
        thread.push([&question, answer = std::move(answer)]() mutable {
            answer("re: " + question);  // the question lives in the coroutine that waits
        });
    });
    co_return text;
}

Task<void> ask_often(ForeignThread& thread, int times, int& right, bool& same_shard) {
    Shard* const home = Shard::current();
    for (int i = 0; i < times; ++i) {
        const std::string text = co_await ask(thread, std::to_string(i));
        right += text == "re: " + std::to_string(i) ? 1 : 0;
        same_shard = same_shard && Shard::current() == home;
    }
}

TEST(AwaitForeign, many_coroutines_get_the_answers_of_foreign_threads_on_their_own_shard) {
    Shard shard(0, core::real_clock());
    ForeignThread first;
    ForeignThread second;
    TaskScope scope(shard, core::Logger());
    int right = 0;
    bool same_shard = true;
    for (int i = 0; i < 20; ++i)
        scope.spawn("asker", ask_often(i % 2 == 0 ? first : second, 200, right, same_shard));
    run_task(shard, scope.join());
    EXPECT_EQ(right, 4'000);
    EXPECT_TRUE(same_shard);
    EXPECT_EQ(scope.failed(), 0u);
}

TEST(AwaitForeign, an_answer_given_before_start_returns_is_taken) {
    Shard shard(0, core::real_clock());
    EXPECT_EQ(run_task(shard, await_foreign<int>([](Answer<int> answer) { answer(7); })), 7);
}

TEST(AwaitForeign, an_answer_may_be_movable_only) {
    Shard shard(0, core::real_clock());
    auto made = run_task(shard, await_foreign<std::unique_ptr<int>>(
                                    [](Answer<std::unique_ptr<int>> answer) { answer(std::make_unique<int>(5)); }));
    ASSERT_NE(made, nullptr);
    EXPECT_EQ(*made, 5);
}

TEST(AwaitForeign, an_exception_travels_to_the_coroutine) {
    Shard shard(0, core::real_clock());
    ForeignThread thread;
    const auto fail = [&](Answer<int> answer) {
        thread.push([answer = std::move(answer)]() mutable {
            answer(std::unexpected(std::make_exception_ptr(std::out_of_range("page 9"))));
        });
    };
    EXPECT_THROW(run_task(shard, await_foreign<int>(fail)), std::out_of_range);
}

TEST(AwaitForeign, what_start_throws_reaches_the_caller) {
    Shard shard(0, core::real_clock());
    const auto refuse = [](Answer<int>) { throw std::length_error("queue full"); };
    EXPECT_THROW(run_task(shard, await_foreign<int>(refuse)), std::length_error);
}

TEST(AwaitForeign, a_dropped_answer_is_an_error_and_not_a_wait_for_ever) {
    Shard shard(0, core::real_clock());
    ForeignThread thread;
    const auto drop = [&](Answer<int> answer) { thread.push([dropped = std::move(answer)] {}); };
    EXPECT_THROW(run_task(shard, await_foreign<int>(drop)), core::Error);
}

TEST(AwaitForeign, a_cancelled_task_waits_for_its_answer_and_learns_of_it_at_the_next_await) {
    Shard shard(0, core::real_clock());
    TaskScope scope(shard, core::Logger());
    Answer<int> pending;
    int got = 0;
    bool went_on = false;
    const auto task = [](Answer<int>& out, int& result, bool& after) -> Task<void> {
        result = co_await await_foreign<int>([&out](Answer<int> answer) { out = std::move(answer); });
        Wake never(*Shard::current());
        co_await never.wait();
        after = true;
    };
    scope.spawn("waiter", task(pending, got, went_on));
    shard.run_ready();

    scope.cancel();
    shard.run_ready();
    EXPECT_EQ(scope.running(), 1u);
    std::jthread([&] { pending(3); }).join();
    run_task(shard, scope.join());

    EXPECT_EQ(got, 3);
    EXPECT_FALSE(went_on);
}

}  // namespace
}  // namespace sluice::runtime
