#include "sluice/db/pool/internal/pool_fsm.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "sluice/core/random.hpp"

namespace sluice::db::pool {
namespace {

using namespace std::chrono_literals;
using Kind = PoolGrant::Kind;

const SteadyTime kStart{1h};

PoolLimits limits_of(std::uint32_t max) {
    PoolLimits limits;
    limits.max = max;
    return limits;
}

/// Acquires on `shard` and, if it may, opens.
PoolGrant taken(PoolFsm& fsm, ShardIndex shard = 0, SteadyTime now = kStart) {
    const PoolGrant grant = fsm.acquire(shard, now);
    if (grant.kind == Kind::open) fsm.opened(grant.link, now, 0.0);
    return grant;
}

TEST(PoolFsm, opens_up_to_the_limit_and_then_lets_wait) {
    PoolFsm fsm(limits_of(2));
    EXPECT_EQ(taken(fsm).kind, Kind::open);
    EXPECT_EQ(taken(fsm).kind, Kind::open);
    EXPECT_EQ(taken(fsm).kind, Kind::wait);
    EXPECT_EQ(fsm.counts().in_use, 2U);
    EXPECT_EQ(fsm.counts().waiting, 1U);
}

TEST(PoolFsm, lends_the_one_used_last_on_the_same_shard) {
    PoolFsm fsm(limits_of(4));
    const LinkId first = taken(fsm, 0).link;
    const LinkId second = taken(fsm, 0).link;
    const LinkId other = taken(fsm, 1).link;
    EXPECT_FALSE(fsm.release(first, 0, true, kStart).has_value());
    EXPECT_FALSE(fsm.release(other, 1, true, kStart).has_value());
    EXPECT_FALSE(fsm.release(second, 0, true, kStart).has_value());
    const PoolGrant again = taken(fsm, 0);
    EXPECT_EQ(again.kind, Kind::use);
    EXPECT_EQ(again.link, second);
    EXPECT_EQ(taken(fsm, 0).link, first);
    EXPECT_EQ(taken(fsm, 0).kind, Kind::open) << "a new one before one of another shard";
    const PoolGrant fetched = taken(fsm, 0);
    EXPECT_EQ(fetched.kind, Kind::fetch);
    EXPECT_EQ(fetched.link, other);
    EXPECT_EQ(fetched.from, 1U);
}

TEST(PoolFsm, serves_waiters_in_the_order_of_asking_on_whatever_shard) {
    PoolFsm fsm(limits_of(1));
    const LinkId only = taken(fsm, 0).link;
    const Ticket first = taken(fsm, 1).ticket;
    const Ticket second = taken(fsm, 0).ticket;
    auto grant = fsm.release(only, 0, true, kStart);
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->ticket, first);
    EXPECT_EQ(grant->shard, 1U);
    EXPECT_EQ(grant->kind, Kind::fetch);
    EXPECT_EQ(grant->from, 0U);
    EXPECT_EQ(fsm.acquire(0, kStart).kind, Kind::wait) << "nobody overtakes";
    grant = fsm.release(only, 1, true, kStart);
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->ticket, second);
}

TEST(PoolFsm, a_broken_connection_gives_its_place_to_the_first_waiter) {
    PoolFsm fsm(limits_of(1));
    const LinkId broken = taken(fsm).link;
    const Ticket waiter = taken(fsm, 3).ticket;
    const auto grant = fsm.release(broken, 0, false, kStart);
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->kind, Kind::open);
    EXPECT_EQ(grant->ticket, waiter);
    EXPECT_EQ(grant->shard, 3U);
    EXPECT_NE(grant->link, broken);
    EXPECT_FALSE(fsm.open_failed(grant->link).has_value());
    EXPECT_EQ(fsm.counts().in_use, 0U);
}

TEST(PoolFsm, a_failed_opening_lets_the_next_waiter_try) {
    PoolFsm fsm(limits_of(1));
    const LinkId opening = fsm.acquire(0, kStart).link;
    const Ticket waiter = fsm.acquire(0, kStart).ticket;
    const auto grant = fsm.open_failed(opening);
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->ticket, waiter);
    EXPECT_EQ(grant->kind, Kind::open);
}

TEST(PoolFsm, a_withdrawn_waiter_is_passed_over_and_a_granted_one_must_give_back) {
    PoolFsm fsm(limits_of(1));
    const LinkId only = taken(fsm).link;
    const Ticket first = taken(fsm).ticket;
    const Ticket second = taken(fsm).ticket;
    EXPECT_TRUE(fsm.withdraw(first));
    const auto grant = fsm.release(only, 0, true, kStart);
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->ticket, second);
    EXPECT_FALSE(fsm.withdraw(second));
    EXPECT_FALSE(fsm.release(grant->link, 0, true, kStart).has_value());
    EXPECT_EQ(fsm.counts().idle, 1U);
}

TEST(PoolFsm, refuses_when_too_many_wait) {
    PoolLimits limits = limits_of(1);
    limits.max_waiting = 1;
    PoolFsm fsm(limits);
    EXPECT_EQ(taken(fsm).kind, Kind::open);
    EXPECT_EQ(taken(fsm).kind, Kind::wait);
    EXPECT_EQ(taken(fsm).kind, Kind::refuse);
}

TEST(PoolFsm, checks_a_connection_that_rested_for_long) {
    PoolFsm fsm(limits_of(1));
    const LinkId link = taken(fsm).link;
    EXPECT_FALSE(fsm.release(link, 0, true, kStart).has_value());
    EXPECT_FALSE(fsm.acquire(0, kStart + 29s).check);
    EXPECT_FALSE(fsm.release(link, 0, true, kStart).has_value());
    EXPECT_TRUE(fsm.acquire(0, kStart + 30s).check);
}

TEST(PoolFsm, one_that_breaks_makes_those_that_rest_suspect) {
    PoolFsm fsm(limits_of(3));
    const LinkId rests = taken(fsm).link;
    const LinkId breaks = taken(fsm).link;
    const LinkId comes_later = taken(fsm).link;
    EXPECT_FALSE(fsm.release(rests, 0, true, kStart).has_value());
    EXPECT_FALSE(fsm.release(breaks, 0, false, kStart + 1s).has_value());
    EXPECT_FALSE(fsm.release(comes_later, 0, true, kStart + 2s).has_value());
    const PoolGrant sound = fsm.acquire(0, kStart + 3s);
    EXPECT_EQ(sound.link, comes_later);
    EXPECT_FALSE(sound.check);
    const PoolGrant suspect = fsm.acquire(0, kStart + 3s);
    EXPECT_EQ(suspect.link, rests);
    EXPECT_TRUE(suspect.check);
}

TEST(PoolFsm, an_old_connection_ends_when_it_comes_back_and_jitter_spreads_that) {
    PoolFsm fsm(limits_of(2));
    const LinkId full = fsm.acquire(0, kStart).link;
    const LinkId short_lived = fsm.acquire(0, kStart).link;
    fsm.opened(full, kStart, 0.0);
    fsm.opened(short_lived, kStart, 0.999);
    const SteadyTime later = kStart + 28min;
    EXPECT_FALSE(fsm.release(short_lived, 0, true, later).has_value());
    EXPECT_FALSE(fsm.rests(short_lived));
    EXPECT_FALSE(fsm.release(full, 0, true, later).has_value());
    EXPECT_TRUE(fsm.rests(full));
    EXPECT_EQ(fsm.sweep(0, kStart + 30min), std::vector<LinkId>{full});
}

TEST(PoolFsm, sweeps_the_idle_of_one_shard_down_to_the_smallest_number) {
    PoolLimits limits = limits_of(4);
    limits.min_idle = 1;
    PoolFsm fsm(limits);
    const LinkId a = taken(fsm, 0).link;
    const LinkId b = taken(fsm, 0).link;
    const LinkId c = taken(fsm, 1).link;
    EXPECT_FALSE(fsm.release(a, 0, true, kStart).has_value());
    EXPECT_FALSE(fsm.release(b, 0, true, kStart + 1min).has_value());
    EXPECT_FALSE(fsm.release(c, 1, true, kStart).has_value());
    EXPECT_EQ(fsm.sweep(0, kStart + 10min), std::vector<LinkId>{a});
    EXPECT_EQ(fsm.sweep(1, kStart + 10min), std::vector<LinkId>{c});
    EXPECT_TRUE(fsm.sweep(0, kStart + 11min).empty()) << "one is to rest";
    EXPECT_EQ(fsm.counts().idle, 1U);
}

TEST(PoolFsm, refills_up_to_the_smallest_number_that_is_to_rest) {
    PoolLimits limits = limits_of(2);
    limits.min_idle = 1;
    PoolFsm fsm(limits);
    const auto grant = fsm.refill();
    ASSERT_TRUE(grant.has_value());
    fsm.opened(grant->link, kStart, 0.0);
    EXPECT_FALSE(fsm.release(grant->link, 0, true, kStart).has_value());
    EXPECT_FALSE(fsm.refill().has_value());
}

/// Ten thousand wait for eight connections; some give up, some connections break.
TEST(PoolFsm, ten_thousand_waiters_are_served_in_order_and_nothing_is_lost) {
    core::Random random(7);
    PoolFsm fsm(limits_of(8));
    std::deque<LinkId> lent;
    std::deque<Ticket> queue;
    for (int i = 0; i < 10'008; ++i) {
        const PoolGrant grant = taken(fsm, static_cast<ShardIndex>(random.below(2)));
        grant.kind == Kind::wait ? queue.push_back(grant.ticket) : lent.push_back(grant.link);
    }
    ASSERT_EQ(queue.size(), 10'000U);
    std::size_t served = 0;
    std::size_t gave_up = 0;
    while (!queue.empty()) {
        if (random.below(10) == 0) {
            const std::size_t at = random.below(queue.size());
            ASSERT_TRUE(fsm.withdraw(queue[at]));
            queue.erase(queue.begin() + static_cast<std::ptrdiff_t>(at));
            ++gave_up;
            continue;
        }
        const LinkId link = lent.front();
        lent.pop_front();
        const auto grant = fsm.release(link, 0, random.below(20) != 0, kStart);
        ASSERT_TRUE(grant.has_value());
        ASSERT_EQ(grant->ticket, queue.front());
        queue.pop_front();
        if (grant->kind == Kind::open) fsm.opened(grant->link, kStart, random.unit());
        lent.push_back(grant->link);
        ++served;
        ASSERT_LE(fsm.counts().in_use, 8U);
    }
    EXPECT_EQ(served + gave_up, 10'000U);
    EXPECT_EQ(fsm.counts().in_use, 8U);
}

}  // namespace
}  // namespace sluice::db::pool
