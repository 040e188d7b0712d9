#include "sluice/realtime/internal/timer_wheel.hpp"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::realtime {
namespace {

TEST(TimerWheelTest, a_key_is_visited_at_its_tick_and_once) {
    TimerWheel<int> wheel(1);
    wheel.schedule(7, 4);
    std::vector<int> visited;
    const auto visit = [&](int key) { visited.push_back(key); };
    wheel.advance(3, visit);
    EXPECT_TRUE(visited.empty());
    wheel.advance(4, visit);
    wheel.advance(500, visit);
    EXPECT_EQ(visited, std::vector<int>{7});
    EXPECT_EQ(wheel.size(), 0u);
}

TEST(TimerWheelTest, a_due_tick_in_the_past_or_beyond_the_horizon_is_visited_early_enough) {
    TimerWheel<int> wheel(100);
    wheel.schedule(1, 3);
    wheel.schedule(2, 100'000);
    std::vector<int> visited;
    wheel.advance(101, [&](int key) { visited.push_back(key); });
    EXPECT_EQ(visited, std::vector<int>{1});
    wheel.advance(100'000, [&](int key) { visited.push_back(key); });
    EXPECT_EQ(visited, (std::vector<int>{1, 2}));
}

TEST(TimerWheelTest, a_visitor_may_schedule_again) {
    TimerWheel<int> wheel(0);
    wheel.schedule(1, 1);
    int visits = 0;
    for (Tick now = 1; now <= 50; ++now)
        wheel.advance(now, [&](int key) {
            ++visits;
            wheel.schedule(key, now + 5);
        });
    EXPECT_EQ(visits, 10);
}

TEST(TimerWheelTest, nobody_is_visited_late_or_forgotten_whatever_jumps_time_makes) {
    const std::uint32_t seed = std::random_device{}();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    TimerWheel<int> wheel(1);
    std::map<int, Tick> due;
    int next = 0;
    Tick now = 1;
    for (int step = 0; step < 20'000; ++step) {
        for (std::size_t n = random() % 3; n > 0; --n) {
            const Tick when = now + static_cast<Tick>(random() % 300);
            due[next] = when;
            wheel.schedule(next++, when);
        }
        now += static_cast<Tick>(random() % 20 == 0 ? random() % 1000 : random() % 3);
        wheel.advance(now, [&](int key) {
            if (due.at(key) > now)
                wheel.schedule(key, due.at(key));
            else
                due.erase(key);
        });
        for (const auto& [key, when] : due)
            ASSERT_GE(when + 1, now) << key;  // +1: the tick in which it was scheduled
        ASSERT_EQ(wheel.size(), due.size());
    }
}

}  // namespace
}  // namespace sluice::realtime
