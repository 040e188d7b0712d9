#include "sluice/db/commit_signal.hpp"

#include <gtest/gtest.h>

namespace sluice::db {
namespace {

TEST(CommitSignal, every_listener_is_told_until_it_ends) {
    const auto signal = std::make_shared<CommitSignal>();
    int first = 0;
    int second = 0;
    const CommitSignal::Listening stays = signal->listen([&] { ++first; });
    {
        const CommitSignal::Listening goes = signal->listen([&] { ++second; });
        signal->raise();
    }
    signal->raise();

    EXPECT_EQ(first, 2);
    EXPECT_EQ(second, 1);
}

TEST(CommitSignal, a_listening_that_is_replaced_or_moved_from_ends_once) {
    const auto signal = std::make_shared<CommitSignal>();
    int first = 0;
    int second = 0;
    CommitSignal::Listening listening = signal->listen([&] { ++first; });
    listening = signal->listen([&] { ++second; });
    const CommitSignal::Listening moved = std::move(listening);
    signal->raise();

    EXPECT_EQ(first, 0);
    EXPECT_EQ(second, 1);
}

TEST(CommitSignal, a_listening_may_outlive_its_signal) {
    auto signal = std::make_shared<CommitSignal>();
    const auto kept = std::make_shared<int>(0);
    const CommitSignal::Listening listening = signal->listen([kept] { ++*kept; });
    signal.reset();
    EXPECT_EQ(kept.use_count(), 1) << "a listener goes with the signal";
}

}  // namespace
}  // namespace sluice::db
