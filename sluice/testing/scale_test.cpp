#include "sluice/testing/scale.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace sluice::testing {
namespace {

// "small" was once read as the number 0, and every random test of the suite did one round.
TEST(Scale, small_is_what_the_tests_say_and_full_is_more) {
    EXPECT_EQ(scale_of(""), 1.0);
    EXPECT_EQ(scale_of("small"), 1.0);
    EXPECT_EQ(scale_of("full"), 10.0);
    EXPECT_EQ(scale_of("0.25"), 0.25);
}

TEST(Scale, refuses_what_would_make_tests_do_nothing) {
    for (const char* text : {"0", "-1", "large", "1x", "nan", "inf"})
        EXPECT_THROW(static_cast<void>(scale_of(text)), std::runtime_error) << text;
}

TEST(Scale, no_test_does_nothing_at_all) {
    EXPECT_GE(scaled(1), 1);
    EXPECT_GT(scaled(1'000'000), scaled(1));
}

}  // namespace
}  // namespace sluice::testing
