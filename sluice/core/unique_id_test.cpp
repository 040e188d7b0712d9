#include "sluice/core/unique_id.hpp"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(UniqueId, is_32_hexadecimal_digits) {
    const std::string id = unique_id();
    EXPECT_EQ(id.size(), 32U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(UniqueId, no_two_of_many_threads_are_the_same) {
    constexpr int kThreads = 4;
    constexpr int kEach = 1'000;
    std::vector<std::vector<std::string>> made(kThreads);
    std::vector<std::jthread> threads;
    for (auto& ids : made)
        threads.emplace_back([&ids] {
            for (int i = 0; i < kEach; ++i)
                ids.push_back(unique_id());
        });
    threads.clear();
    std::set<std::string> all;
    for (const auto& ids : made)
        all.insert(ids.begin(), ids.end());
    EXPECT_EQ(all.size(), std::size_t{kThreads} * kEach);
}

}  // namespace
}  // namespace sluice::core
