#include "sluice/tenant/registry.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::tenant {
namespace {

TenantId id_of(std::string_view text) {
    return *TenantId::parse(text);
}

TEST(tenant_registry, unknown_tenants_are_nobody) {
    TenantRegistry registry;

    EXPECT_EQ(registry.find(id_of("shop_a")), nullptr);
    EXPECT_FALSE(registry.suspend(id_of("shop_a")));
    EXPECT_FALSE(registry.remove(id_of("shop_a")));
    EXPECT_EQ(registry.version(), 0u);
}

TEST(tenant_registry, a_suspended_tenant_is_answered_as_such_until_it_resumes) {
    TenantRegistry registry;
    registry.upsert({id_of("shop_a"), "Alder", "db_a"});

    ASSERT_TRUE(registry.suspend(id_of("shop_a")));
    EXPECT_EQ(registry.find(id_of("shop_a"))->status, Status::suspended);
    ASSERT_TRUE(registry.resume(id_of("shop_a")));
    EXPECT_EQ(registry.find(id_of("shop_a"))->status, Status::active);
    EXPECT_EQ(registry.find(id_of("shop_a"))->data_source, "db_a");
    EXPECT_EQ(registry.version(), 3u);
}

TEST(tenant_registry, what_was_looked_up_stays_as_it_was_when_the_tenant_changes) {
    TenantRegistry registry;
    registry.upsert({id_of("shop_a"), "Alder", "db_a"});
    const auto before = registry.find(id_of("shop_a"));

    registry.upsert({id_of("shop_a"), "Alder & Co", "db_b"});
    registry.remove(id_of("shop_a"));

    EXPECT_EQ(before->data_source, "db_a");
    EXPECT_EQ(registry.find(id_of("shop_a")), nullptr);
}

TEST(tenant_registry, the_list_is_in_the_order_of_ids) {
    TenantRegistry registry;
    for (const std::string_view id : {"c", "a", "b"})
        registry.upsert({id_of(id), "", ""});

    std::string order;
    for (const auto& tenant : registry.list())
        order += tenant->id.text();
    EXPECT_EQ(order, "abc");
}

TEST(tenant_registry, look_ups_during_changes_see_whole_tenants_and_rising_versions) {
    TenantRegistry registry;
    registry.upsert({id_of("shop_a"), "0", "0"});
    std::atomic<bool> stop{false};
    std::atomic<int> torn{0};
    auto look = [&] {
        std::uint64_t last = 0;
        while (!stop.load()) {
            const auto tenant = registry.find(id_of("shop_a"));
            const auto version = registry.version();
            torn += tenant->display_name != tenant->data_source || version < last;
            last = version;
        }
    };
    std::thread first(look);
    std::thread second(look);

    for (int i = 1; i <= 2'000; ++i)
        registry.upsert({id_of("shop_a"), std::to_string(i), std::to_string(i)});
    stop = true;
    first.join();
    second.join();

    EXPECT_EQ(torn.load(), 0);
    EXPECT_EQ(registry.version(), 2'001u);
}

TEST(tenant_registry, changes_from_several_threads_are_all_kept_and_counted) {
    TenantRegistry registry;
    constexpr int kThreads = 4;
    constexpr int kTenants = 200;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&registry, t] {
                for (int i = 0; i < kTenants; ++i) {
                    const TenantId id = id_of("t" + std::to_string(t) + "_" + std::to_string(i));
                    registry.upsert({id, "", "db"});
                    if (i % 2 == 0) registry.suspend(id);
                    if (i % 4 == 0) registry.remove(id);
                }
            });
        }
    }
    EXPECT_EQ(registry.list().size(), static_cast<std::size_t>(kThreads * kTenants * 3 / 4));
    EXPECT_EQ(registry.version(), static_cast<std::uint64_t>(kThreads * kTenants * 7 / 4));
    EXPECT_EQ(registry.find(id_of("t1_2"))->status, Status::suspended);
    EXPECT_EQ(registry.find(id_of("t1_1"))->status, Status::active);
}

}  // namespace
}  // namespace sluice::tenant
