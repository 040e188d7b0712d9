#include "sluice/tenant/strategy.hpp"

#include <gtest/gtest.h>

namespace sluice::tenant {
namespace {

RequestFacts facts(std::string_view host, std::string_view path, std::map<std::string, std::string> headers = {}) {
    auto kept = std::make_shared<std::map<std::string, std::string>>(std::move(headers));
    return {host, path, [kept](std::string_view name) -> std::optional<std::string_view> {
                const auto found = kept->find(std::string(name));
                if (found == kept->end()) return std::nullopt;
                return found->second;
            }};
}

TenantId named(std::string_view text) {
    return *TenantId::parse(text);
}

struct Resolve : ::testing::Test {
    Resolve() {
        registry.upsert({named("shop_a"), "Alder", "shop_a"});
        registry.upsert({named("shop_b"), "Birch", "shop_b", Status::suspended});
    }
    RefusalKind refusal(const RequestFacts& request) { return resolve(registry, both, request).error().kind; }

    TenantRegistry registry;
    Strategy both = all_of({by_header("X-Tenant"), by_path_prefix("/t/")});
};

TEST_F(Resolve, a_header_names_the_tenant_and_leaves_the_path) {
    const auto resolved = resolve(registry, both, facts("h", "/orders", {{"X-Tenant", "shop_a"}}));

    ASSERT_TRUE(resolved);
    EXPECT_EQ(resolved->tenant->id, named("shop_a"));
    EXPECT_EQ(resolved->path, "/orders");
}

TEST_F(Resolve, a_path_prefix_names_the_tenant_and_is_taken_off) {
    EXPECT_EQ(resolve(registry, both, facts("h", "/t/shop_a/orders"))->path, "/orders");
    EXPECT_EQ(resolve(registry, both, facts("h", "/t/shop_a"))->path, "/");
}

TEST_F(Resolve, a_request_that_names_nobody_is_told_how_to_name_somebody) {
    EXPECT_EQ(resolve(registry, both, facts("h", "/orders")).error().detail,
              "the request names no tenant; send the header X-Tenant or put /t/<tenant> before the path");
    const Strategy hosts = all_of({by_subdomain("example.com"), by_host({})});
    EXPECT_EQ(resolve(registry, hosts, facts("h", "/")).error().detail,
              "the request names no tenant; use the host <tenant>.example.com or use the host of a tenant");
}

TEST_F(Resolve, a_default_serves_only_requests_that_name_nobody) {
    const Strategy with_default = or_default(both, named("shop_a"));

    EXPECT_EQ(resolve(registry, with_default, facts("h", "/orders"))->tenant->id, named("shop_a"));
    EXPECT_EQ(resolve(registry, with_default, facts("h", "/t/shop_c/x")).error().kind, RefusalKind::unknown);
    EXPECT_EQ(resolve(registry, with_default, facts("h", "/t/shop_b/x")).error().kind, RefusalKind::suspended);
    EXPECT_EQ(resolve(registry, with_default, facts("h", "/t//x")).error().kind, RefusalKind::malformed);
    registry.suspend(named("shop_a"));
    EXPECT_EQ(resolve(registry, with_default, facts("h", "/orders")).error().kind, RefusalKind::suspended);
    registry.remove(named("shop_a"));
    EXPECT_EQ(resolve(registry, with_default, facts("h", "/orders")).error().kind, RefusalKind::unknown);
}

TEST_F(Resolve, a_header_that_came_twice_or_is_padded_names_nobody) {
    EXPECT_EQ(refusal(facts("h", "/", {{"X-Tenant", "shop_a, shop_b"}})), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/", {{"X-Tenant", " shop_a"}})), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/", {{"X-Tenant", ""}})), RefusalKind::malformed);
}

TEST_F(Resolve, a_contradiction_inside_a_combination_is_seen_outside_of_it) {
    const Strategy nested =
        all_of({all_of({by_header("X-Tenant"), by_path_prefix("/t/")}), by_subdomain("example.com")});
    EXPECT_EQ(resolve(registry, nested, facts("h", "/t/shop_b/x", {{"X-Tenant", "shop_a"}})).error().kind,
              RefusalKind::contradictory);
    EXPECT_EQ(resolve(registry, nested, facts("shop_b.example.com", "/t/shop_a/x")).error().kind,
              RefusalKind::contradictory);
    EXPECT_TRUE(resolve(registry, nested, facts("shop_a.example.com", "/t/shop_a/x", {{"X-Tenant", "shop_a"}})));
}

TEST_F(Resolve, an_escaped_path_names_nobody_by_another_spelling) {
    EXPECT_EQ(refusal(facts("h", "/t/shop%5Fa/orders")), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/T/shop_a/orders")), RefusalKind::missing);
}

TEST_F(Resolve, two_places_that_agree_are_one_and_two_that_differ_are_refused) {
    EXPECT_TRUE(resolve(registry, both, facts("h", "/t/shop_a/orders", {{"X-Tenant", "shop_a"}})));
    EXPECT_EQ(refusal(facts("h", "/t/shop_a/orders", {{"X-Tenant", "shop_b"}})), RefusalKind::contradictory);
}

TEST_F(Resolve, missing_malformed_unknown_and_suspended_are_told_apart) {
    EXPECT_EQ(refusal(facts("h", "/orders")), RefusalKind::missing);
    EXPECT_EQ(refusal(facts("h", "/t//orders")), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/t/Shop_A/orders")), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/t/_a/orders")), RefusalKind::malformed);
    EXPECT_EQ(refusal(facts("h", "/t/shop_c/orders")), RefusalKind::unknown);
    EXPECT_EQ(refusal(facts("h", "/t/shop_b/orders")), RefusalKind::suspended);
}

TEST_F(Resolve, a_refusal_says_where_the_name_was_and_keeps_the_rest_of_the_path) {
    const auto refused = resolve(registry, both, facts("h", "/t/shop_c/orders"));

    EXPECT_EQ(refused.error().detail, "path prefix: there is no tenant 'shop_c'");
    EXPECT_EQ(refused.error().path, "/orders");
}

TEST(subdomain, only_the_label_right_below_the_base_domain_names_a_tenant) {
    const Strategy strategy = by_subdomain("example.com");

    EXPECT_EQ(strategy(facts("shop_a.example.com", "/")).text, "shop_a");
    EXPECT_EQ(strategy(facts("SHOP_A.Example.COM:8443", "/")).text, "shop_a");
    EXPECT_EQ(strategy(facts("example.com", "/")).text, std::nullopt);
    EXPECT_EQ(strategy(facts("a.b.example.com", "/")).text, std::nullopt);
    EXPECT_EQ(strategy(facts("shop_a.example.org", "/")).text, std::nullopt);
    EXPECT_EQ(strategy(facts("shop_aexample.com", "/")).text, std::nullopt);
}

TEST(host_map, whole_hosts_name_tenants_whatever_their_case_and_port) {
    const Strategy strategy = by_host({{"Alder.shop", named("shop_a")}});

    EXPECT_EQ(strategy(facts("alder.SHOP:443", "/")).text, "shop_a");
    EXPECT_EQ(strategy(facts("www.alder.shop", "/")).text, std::nullopt);
}

}  // namespace
}  // namespace sluice::tenant
