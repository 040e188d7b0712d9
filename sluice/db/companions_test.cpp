#include "sluice/db/companions.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::db {
namespace {

struct Counter {
    std::atomic<int> value = 0;
};

struct Other {
    int value = 7;
};

TEST(Companions, keep_one_object_of_each_type) {
    Companions companions;
    companions.get<Counter>()->value = 3;
    EXPECT_EQ(companions.get<Counter>()->value, 3);
    EXPECT_EQ(companions.get<Other>()->value, 7);
}

TEST(Companions, outlive_their_holder_while_somebody_has_them) {
    std::shared_ptr<Counter> kept;
    {
        Companions companions;
        kept = companions.get<Counter>();
        kept->value = 3;
    }
    EXPECT_EQ(kept->value, 3);
}

TEST(Companions, are_the_same_for_threads_that_ask_at_once) {
    Companions companions;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&companions] {
            for (int j = 0; j < 1'000; ++j)
                ++companions.get<Counter>()->value;
        });
    threads.clear();
    EXPECT_EQ(companions.get<Counter>()->value, 8'000);
}

}  // namespace
}  // namespace sluice::db
