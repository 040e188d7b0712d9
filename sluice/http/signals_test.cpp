#include "sluice/http/signals.hpp"

#include <unistd.h>
#include <csignal>

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

using namespace std::chrono_literals;

TEST(Signals, one_sent_to_the_process_is_waited_for) {
    Signals signals;
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    EXPECT_EQ(signals.wait(), SIGTERM);
    ASSERT_EQ(::kill(::getpid(), SIGINT), 0);
    EXPECT_EQ(signals.wait_for(10s), SIGINT);
}

TEST(Signals, none_within_the_limit_is_nothing) {
    Signals signals;
    EXPECT_EQ(signals.wait_for(1ms), std::nullopt);
}

TEST(SignalsDeathTest, after_release_another_one_ends_the_process) {
    EXPECT_EXIT(
        {
            Signals signals;
            ::raise(SIGTERM);
            signals.wait();
            signals.release();
            ::raise(SIGTERM);
        },
        ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace sluice::http
