#include "sluice/runtime/bulkhead.hpp"

#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/core/random.hpp"

namespace sluice::runtime {
namespace {

std::shared_ptr<PermitPool> pool_of(std::uint32_t size) {
    return std::make_shared<PermitPool>(size);
}

/// A permit and the order in which it was granted.
struct Asker {
    Permit permit;
    Asker(const Bulkhead& bulkhead, std::string name, std::string& order)
        : permit(bulkhead, [&order, name = std::move(name)] { order += name; }) {}
};

TEST(Bulkhead, without_a_limit_everybody_is_granted_at_once) {
    std::string order;
    const Asker first(Bulkhead::unlimited(), "a", order);
    const Asker second(Bulkhead::unlimited(), "b", order);
    EXPECT_TRUE(first.permit.granted() && second.permit.granted());
    EXPECT_EQ(order, "");
}

TEST(Bulkhead, a_fixed_one_serves_in_order_of_asking) {
    const auto pool = pool_of(1);
    const Bulkhead one = Bulkhead::fixed(pool);
    std::string order;
    std::optional<Asker> holder(std::in_place, one, "a", order);
    std::optional<Asker> second(std::in_place, one, "b", order);
    const Asker third(one, "c", order);
    EXPECT_TRUE(holder->permit.granted());
    EXPECT_FALSE(second->permit.granted());
    EXPECT_EQ(pool->waiting(), 2u);

    holder.reset();
    EXPECT_TRUE(second->permit.granted());
    EXPECT_FALSE(third.permit.granted());
    second.reset();
    EXPECT_TRUE(third.permit.granted());

    EXPECT_EQ(order, "bc");
}

TEST(Bulkhead, who_leaves_the_queue_costs_the_next_nothing) {
    const auto pool = pool_of(1);
    const Bulkhead one = Bulkhead::fixed(pool);
    std::string order;
    std::optional<Asker> holder(std::in_place, one, "a", order);
    std::optional<Asker> gone(std::in_place, one, "b", order);
    const Asker next(one, "c", order);

    gone.reset();
    holder.reset();

    EXPECT_TRUE(next.permit.granted());
    EXPECT_EQ(order, "c");
}

TEST(Bulkhead, a_tiered_one_takes_the_shared_permit_first_and_its_own_when_that_is_taken) {
    const auto shared = pool_of(1);
    const auto guaranteed = pool_of(1);
    const Bulkhead tiered = Bulkhead::tiered(guaranteed, shared);
    std::string order;
    const Asker first(tiered, "a", order);
    EXPECT_EQ(shared->free(), 0u);
    EXPECT_EQ(guaranteed->free(), 1u);
    const Asker second(tiered, "b", order);
    EXPECT_EQ(guaranteed->free(), 0u);
    EXPECT_TRUE(second.permit.granted());
}

TEST(Bulkhead, what_is_guaranteed_cannot_be_used_up_by_others) {
    const auto shared = pool_of(1);
    const auto guaranteed = pool_of(1);
    std::string order;
    const Asker sweep(Bulkhead::fixed(shared), "s", order);
    const Asker waiting_sweep(Bulkhead::fixed(shared), "t", order);
    const Asker sequencer(Bulkhead::tiered(guaranteed, shared), "q", order);
    EXPECT_TRUE(sequencer.permit.granted());
    EXPECT_FALSE(waiting_sweep.permit.granted());
}

TEST(Bulkhead, a_tiered_waiter_is_served_by_whichever_pool_is_first_and_leaves_the_other) {
    const auto shared = pool_of(1);
    const auto guaranteed = pool_of(1);
    const Bulkhead tiered = Bulkhead::tiered(guaranteed, shared);
    std::string order;
    std::optional<Asker> in_shared(std::in_place, tiered, "a", order);
    std::optional<Asker> in_guaranteed(std::in_place, tiered, "b", order);
    std::optional<Asker> waiting(std::in_place, tiered, "c", order);

    in_guaranteed.reset();
    EXPECT_TRUE(waiting->permit.granted());
    EXPECT_EQ(shared->waiting(), 0u);
    in_shared.reset();
    EXPECT_EQ(shared->free(), 1u);
    waiting.reset();
    EXPECT_EQ(guaranteed->free(), 1u);
}

TEST(Bulkhead, permits_are_conserved_whatever_the_order_of_coming_and_going) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    core::Random random(seed);
    const auto shared = pool_of(2);
    const auto guaranteed = pool_of(1);
    std::string order;
    std::vector<std::optional<Asker>> askers(12);
    for (int step = 0; step < 100'000; ++step) {
        auto& asker = askers[random.below(askers.size())];
        if (asker)
            asker.reset();
        else
            asker.emplace(random.below(2) == 0 ? Bulkhead::fixed(shared) : Bulkhead::tiered(guaranteed, shared), "",
                          order);
        std::uint32_t granted = 0;
        for (const auto& each : askers)
            granted += each && each->permit.granted() ? 1 : 0;
        ASSERT_EQ(granted + shared->free() + guaranteed->free(), 3u) << "at step " << step;
        ASSERT_TRUE(shared->free() == 0 || shared->waiting() == 0) << "at step " << step;
        ASSERT_TRUE(guaranteed->free() == 0 || guaranteed->waiting() == 0) << "at step " << step;
    }
}

}  // namespace
}  // namespace sluice::runtime
