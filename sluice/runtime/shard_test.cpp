#include "sluice/runtime/shard.hpp"

#include <array>
#include <atomic>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::runtime {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;

TEST(Shard, messages_of_each_sender_arrive_in_their_order) {
    constexpr int kSenders = 4;
    constexpr int kMessages = 20'000;
    ShardGroup shards(1);
    shards.start();
    std::array<int, kSenders> next{};  // touched on the shard only
    int wrong = 0;
    int left = kSenders * kMessages;
    std::promise<void> done;
    {
        std::vector<std::jthread> senders;
        for (std::size_t sender = 0; sender < kSenders; ++sender) {
            senders.emplace_back([&, sender] {
                for (int i = 0; i < kMessages; ++i) {
                    shards.at(0).post([&, sender, i] {
                        wrong += next[sender]++ == i ? 0 : 1;
                        if (--left == 0) done.set_value();
                    });
                }
            });
        }
    }
    ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
    shards.stop();
    EXPECT_EQ(wrong, 0);
}

TEST(Shard, many_posts_wake_the_loop_once) {
    Shard shard(0, core::real_clock());
    int turns = 0;
    shard.add_flusher([&] { ++turns; });
    int seen_in_first_turn = 0;
    for (int i = 0; i < 1'000; ++i)
        shard.post([&] { seen_in_first_turn += turns == 0 ? 1 : 0; });

    EXPECT_EQ(shard.run_ready(), 1'000u);
    EXPECT_EQ(seen_in_first_turn, 1'000);
}

TEST(Shard, a_message_posted_by_a_message_runs_in_a_later_turn) {
    Shard shard(0, core::real_clock());
    int turn = 0;
    std::vector<int> ran_in;
    shard.add_flusher([&] { ++turn; });
    shard.post([&] {
        ran_in.push_back(turn);
        shard.post([&] { ran_in.push_back(turn); });
    });

    EXPECT_EQ(shard.run_ready(), 2u);
    EXPECT_EQ(ran_in, (std::vector<int>{0, 1}));
}

TEST(Shard, a_busy_handler_cannot_keep_the_flushers_from_running) {
    Shard shard(0, core::real_clock());
    int handled = 0;
    int longest_turn = 0;
    int at_last_flush = 0;
    shard.add_flusher([&] {
        longest_turn = std::max(longest_turn, handled - at_last_flush);
        at_last_flush = handled;
    });
    std::function<void()> again = [&] {
        if (++handled < 2'000) boost::asio::post(shard.executor(), [&] { again(); });
    };
    boost::asio::post(shard.executor(), [&] { again(); });

    EXPECT_EQ(shard.run_ready(), 2'000u);
    EXPECT_EQ(handled, 2'000);
    EXPECT_LE(longest_turn, 257);
}

TEST(Shard, flushers_run_in_order_and_may_remove_themselves) {
    Shard shard(0, core::real_clock());
    std::string order;
    Shard::FlusherId second = 0;
    shard.add_flusher([&] { order += 'a'; });
    second = shard.add_flusher([&] {
        order += 'b';
        shard.remove_flusher(second);
    });
    shard.add_flusher([&] { order += 'c'; });

    shard.run_ready();
    shard.run_ready();

    EXPECT_EQ(order, "abcac");
}

TEST(Shard, try_post_refuses_what_is_over_the_limit_and_leaves_it_whole) {
    Shard shard(0, core::real_clock(), 2);
    int ran = 0;
    for (int i = 0; i < 2; ++i) {
        Message message = [&] { ++ran; };
        ASSERT_TRUE(shard.try_post(message));
    }
    Message refused = [&] { ran += 100; };

    EXPECT_FALSE(shard.try_post(refused));
    EXPECT_TRUE(static_cast<bool>(refused));
    shard.post([&] { ran += 10; });  // control messages are not counted
    shard.run_ready();
    EXPECT_EQ(ran, 12);
    EXPECT_TRUE(shard.try_post(refused));
    shard.run_ready();
    EXPECT_EQ(ran, 112);
}

TEST(Shard, run_goes_on_while_idle_until_it_is_stopped) {
    Shard shard(0, core::real_clock());
    std::jthread thread([&] { shard.run(); });
    for (int i = 0; i < 3; ++i) {
        std::promise<Shard*> ran;
        shard.post([&] { ran.set_value(Shard::current()); });
        auto seen = ran.get_future();
        ASSERT_EQ(seen.wait_for(kPatience), std::future_status::ready);
        EXPECT_EQ(seen.get(), &shard);
    }
    shard.stop();
    thread.join();
    EXPECT_EQ(Shard::current(), nullptr);
}

TEST(Shard, stop_finishes_the_turn_with_its_flush) {
    Shard shard(0, core::real_clock());
    int flushed = 0;
    int ran = 0;
    shard.add_flusher([&] { ++flushed; });
    shard.post([&] { shard.stop(); });
    shard.post([&] { ++ran; });

    shard.run();

    EXPECT_EQ(ran, 1);
    EXPECT_EQ(flushed, 1);
}

TEST(Shard, a_stop_before_run_ends_that_run_only) {
    Shard shard(0, core::real_clock());
    int ran = 0;
    shard.stop();
    shard.run();
    shard.post([&] {
        ++ran;
        shard.stop();
    });
    shard.run();
    EXPECT_EQ(ran, 1);
}

TEST(Shard, timers_are_served_while_a_message_is_expected) {
    ShardGroup shards(1);
    std::promise<bool> fired;
    boost::asio::steady_timer timer(shards.at(0).context());
    shards.at(0).post([&] {
        shards.at(0).expect_message(2 * kPatience);
        timer.expires_after(1ms);
        timer.async_wait([&](boost::system::error_code error) { fired.set_value(!error); });
    });
    shards.start();
    auto seen = fired.get_future();
    ASSERT_EQ(seen.wait_for(kPatience), std::future_status::ready);
    EXPECT_TRUE(seen.get());
    shards.stop();
}

TEST(Shard, stop_does_not_wait_for_the_expected_message) {
    ShardGroup shards(1);
    std::promise<void> looking;
    shards.at(0).post([&] {
        shards.at(0).expect_message(2 * kPatience);
        looking.set_value();
    });
    shards.start();
    looking.get_future().wait();
    const auto began = std::chrono::steady_clock::now();
    shards.stop();
    EXPECT_LT(std::chrono::steady_clock::now() - began, kPatience);
}

TEST(Shard, the_expected_message_runs_in_a_turn_of_its_own_and_ends_the_look) {
    ShardGroup shards(1);
    Shard& shard = shards.at(0);
    int turns = 0;
    std::promise<void> looking;
    std::promise<int> ran;
    shard.add_flusher([&] { ++turns; });
    shard.post([&] {
        shard.expect_message(2 * kPatience);
        looking.set_value();
    });
    shards.start();
    looking.get_future().wait();
    shard.post([&] { ran.set_value(turns); });
    auto turn = ran.get_future();
    ASSERT_EQ(turn.wait_for(kPatience), std::future_status::ready);
    EXPECT_GE(turn.get(), 1);
    shards.stop();
}

/// The moments at which a look begins, ends in vain and is met by a message, in many orders: a message that is not seen
/// would never run.
TEST(Shard, no_message_is_lost_between_looking_and_sleeping) {
    constexpr int kSenders = 2;
    constexpr int kRounds = 20'000;
    ShardGroup shards(1);
    Shard& shard = shards.at(0);
    shards.start();
    std::vector<std::jthread> senders;
    std::atomic<int> failures{0};
    for (int sender = 0; sender < kSenders; ++sender) {
        senders.emplace_back([&, sender] {
            for (int round = 0; round < kRounds && failures == 0; ++round) {
                auto ran = std::make_shared<std::promise<void>>();  // shared with a message that may come late
                const std::chrono::microseconds span((round * 7 + sender) % 40);
                shard.post([&shard, ran, span] {
                    shard.expect_message(span);
                    ran->set_value();
                });
                if (ran->get_future().wait_for(kPatience) != std::future_status::ready) ++failures;
            }
        });
    }
    senders.clear();
    EXPECT_EQ(failures, 0);
    shards.stop();
}

/// Posts again when it is destroyed, as the hand-back of a foreign call does.
struct PostsWhenDropped {
    Shard* shard;
    std::shared_ptr<int> witness;
    PostsWhenDropped(Shard& on, std::shared_ptr<int> alive) : shard(&on), witness(std::move(alive)) {}
    PostsWhenDropped(PostsWhenDropped&& other) noexcept
        : shard(std::exchange(other.shard, nullptr)), witness(std::move(other.witness)) {}
    ~PostsWhenDropped() {
        if (shard != nullptr) shard->post([kept = std::move(witness)] {});
    }
};

TEST(Shard, messages_that_never_ran_are_destroyed_with_it) {
    auto witness = std::make_shared<int>(0);
    {
        ShardGroup shards(2);
        shards.at(0).post([kept = PostsWhenDropped(shards.at(1), witness)] {});
        shards.at(1).post([kept = PostsWhenDropped(shards.at(0), witness)] {});
        EXPECT_EQ(witness.use_count(), 3);
    }
    EXPECT_EQ(witness.use_count(), 1);
}

TEST(ShardGroup, every_hash_has_one_home_for_life) {
    ShardGroup shards(3);
    for (std::uint64_t hash = 0; hash < 100; ++hash)
        EXPECT_EQ(&shards.home_of(hash), &shards.home_of(hash));
    EXPECT_NE(&shards.home_of(0), &shards.home_of(1));
}

TEST(ShardGroup, shards_talk_to_each_other_and_stop_twice) {
    ShardGroup shards(2);
    shards.start();
    std::promise<std::uint32_t> answered;
    shards.at(0).post([&] {
        shards.at(1).post([&] {
            const std::uint32_t here = Shard::current()->index();
            shards.at(0).post([&, here] { answered.set_value(here * 10 + Shard::current()->index()); });
        });
    });
    auto answer = answered.get_future();
    ASSERT_EQ(answer.wait_for(kPatience), std::future_status::ready);
    EXPECT_EQ(answer.get(), 10u);
    shards.stop();
    shards.stop();
}

Task<int> doubled(int value) {
    co_await sleep_for(1us);
    co_return value * 2;
}

Task<int> failing() {
    co_await sleep_for(1us);
    throw std::runtime_error("no");
}

TEST(RunTask, answers_the_result_or_throws_what_the_task_threw) {
    Shard shard(0, core::real_clock());
    EXPECT_EQ(run_task(shard, doubled(21)), 42);
    EXPECT_THROW(run_task(shard, failing()), std::runtime_error);
    EXPECT_EQ(run_task(shard, doubled(1)), 2);
}

}  // namespace
}  // namespace sluice::runtime
