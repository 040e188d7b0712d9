#include "sluice/runtime/look_policy.hpp"

#include <gtest/gtest.h>

namespace sluice::runtime {
namespace {

/// Waits until the policy allows a look; how many sleeps that took.
int sleeps_before_look(LookPolicy& policy) {
    int sleeps = 0;
    while (!policy.should_look())
        ++sleeps;
    return sleeps;
}

TEST(LookPolicy, looks_at_every_wait_while_looks_are_met) {
    LookPolicy policy;
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(sleeps_before_look(policy), 0);
        policy.met();
    }
}

TEST(LookPolicy, looks_in_vain_make_looks_rarer_up_to_a_limit) {
    LookPolicy policy;
    for (const int expected : {0, 1, 3, 7, 15, 15, 15}) {
        EXPECT_EQ(sleeps_before_look(policy), expected);
        policy.in_vain();
    }
}

TEST(LookPolicy, one_look_that_is_met_makes_looks_usual_again) {
    LookPolicy policy;
    for (int i = 0; i < 8; ++i) {
        static_cast<void>(sleeps_before_look(policy));
        policy.in_vain();
    }
    EXPECT_EQ(sleeps_before_look(policy), 15);
    policy.met();
    EXPECT_EQ(sleeps_before_look(policy), 0);
    policy.in_vain();
    EXPECT_EQ(sleeps_before_look(policy), 1);
}

}  // namespace
}  // namespace sluice::runtime
