#include "sluice/core/random.hpp"

#include <array>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sluice/core/unique_id.hpp"

namespace sluice::core {
namespace {

TEST(Random, the_same_seed_gives_the_same_numbers) {
    Random left(7);
    Random right(7);
    Random other(8);
    int equal_to_other = 0;
    for (int i = 0; i < 100; ++i) {
        const std::uint64_t value = left();
        EXPECT_EQ(value, right());
        equal_to_other += value == other() ? 1 : 0;
    }
    EXPECT_EQ(equal_to_other, 0);
}

TEST(Random, below_is_uniform_within_its_bound) {
    Random random(1);
    std::array<int, 6> seen{};
    for (int i = 0; i < 60'000; ++i)
        ++seen[random.below(6)];
    for (const int count : seen)
        EXPECT_NEAR(count, 10'000, 500);
    EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, unit_stays_under_one) {
    Random random(2);
    double sum = 0;
    for (int i = 0; i < 10'000; ++i) {
        const double value = random.unit();
        ASSERT_GE(value, 0);
        ASSERT_LT(value, 1);
        sum += value;
    }
    EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

TEST(UniqueId, is_32_hexadecimal_digits_and_new_each_time) {
    std::set<std::string> ids;
    for (int i = 0; i < 1'000; ++i)
        ids.insert(unique_id());
    EXPECT_EQ(ids.size(), 1'000U);
    for (const std::string& id : ids) {
        EXPECT_EQ(id.size(), 32U);
        EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    }
    EXPECT_NE(random_seed(), random_seed());
}

}  // namespace
}  // namespace sluice::core
