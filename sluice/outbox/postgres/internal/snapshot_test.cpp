#include "sluice/outbox/postgres/internal/snapshot.hpp"

#include <gtest/gtest.h>

namespace sluice::outbox::postgres {
namespace {

TEST(Snapshot, reads_what_the_database_writes) {
    const auto snapshot = Snapshot::parse("10:20:10,14,15");
    ASSERT_TRUE(snapshot.has_value());
    EXPECT_EQ(snapshot->xmin, 10);
    EXPECT_EQ(snapshot->xmax, 20);
    EXPECT_EQ(snapshot->running, (std::vector<std::int64_t>{10, 14, 15}));
    EXPECT_EQ(snapshot->text(), "10:20:10,14,15");
    EXPECT_EQ(Snapshot::parse("7:7:")->text(), "7:7:");
}

TEST(Snapshot, refuses_every_other_text) {
    for (const char* const text : {"", ":", "1:2", "1:2:3:", "a:2:", "1:b:", "2:1:", "1:9:0", "1:9:9", "1:9:3,",
                                   "1:9:,3", "1:9:4,3", "1:9:3,3", "-1:9:", "1:9:3 ", "99999999999999999999:1:"})
        EXPECT_FALSE(Snapshot::parse(text).has_value()) << text;
}

TEST(Snapshot, saw_what_had_ended) {
    const Snapshot snapshot = *Snapshot::parse("10:20:10,14,15");
    for (const std::int64_t xid : {1, 9, 11, 12, 13, 16, 19})
        EXPECT_TRUE(snapshot.saw(xid)) << xid;
    for (const std::int64_t xid : {10, 14, 15, 20, 21})
        EXPECT_FALSE(snapshot.saw(xid)) << xid;
}

/// The transaction that takes a snapshot is neither seen by it nor in its list: the next tick would number its rows
/// twice.
TEST(Snapshot, including_its_own_transaction_it_sees_that_and_none_beside_it) {
    const Snapshot seen = including(*Snapshot::parse("10:20:10,14"), 23);
    EXPECT_TRUE(seen.saw(23));
    EXPECT_TRUE(seen.saw(13));
    for (const std::int64_t xid : {10, 14, 20, 21, 22, 24})
        EXPECT_FALSE(seen.saw(xid)) << xid;
    EXPECT_EQ(Snapshot::parse(seen.text()), seen);
}

TEST(Snapshot, including_one_below_its_xmax_changes_nothing_else) {
    const Snapshot seen = including(*Snapshot::parse("10:20:10,14"), 12);
    EXPECT_EQ(seen, *Snapshot::parse("10:20:10,14"));
    EXPECT_EQ(including(*Snapshot::parse("5:5:"), 5), *Snapshot::parse("6:6:"));
}

}  // namespace
}  // namespace sluice::outbox::postgres
