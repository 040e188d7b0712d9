#include "sluice/identity/policy.hpp"

#include <gtest/gtest.h>

namespace sluice::identity {
namespace {

struct PolicyTest : ::testing::Test {
    tenant::TenantId shop_a = tenant::TenantId::parse("shop_a").value();
    tenant::TenantId shop_b = tenant::TenantId::parse("shop_b").value();
    std::shared_ptr<const Identity> visitor = Identity::anonymous(shop_a);
};

TEST_F(PolicyTest, nothing_is_permitted_without_a_rule) {
    EXPECT_FALSE(Policy().permits("subscribe", *visitor, {shop_a, "projection", "stock/A-1"}));
}

TEST_F(PolicyTest, a_rule_permits_its_own_action_only) {
    Policy policy;
    policy.allow("subscribe", anyone_of_the_tenant);
    EXPECT_TRUE(policy.permits("subscribe", *visitor, {shop_a, "projection", "stock/A-1"}));
    EXPECT_FALSE(policy.permits("publish", *visitor, {shop_a, "projection", "stock/A-1"}));
}

TEST_F(PolicyTest, another_tenants_resource_is_refused_even_by_a_rule_that_permits_everything) {
    Policy policy;
    policy.allow("subscribe", [](const Identity&, const Resource&) { return true; });
    EXPECT_FALSE(policy.permits("subscribe", *visitor, {shop_b, "projection", "stock/A-1"}));
}

TEST_F(PolicyTest, one_of_several_rules_is_enough) {
    Policy policy;
    policy.allow("publish", [](const Identity& who, const Resource&) { return who.subject == "u-1"; });
    policy.allow("publish", [](const Identity&, const Resource& what) { return what.name == "lobby"; });
    EXPECT_TRUE(policy.permits("publish", *visitor, {shop_a, "chat", "lobby"}));
    EXPECT_FALSE(policy.permits("publish", *visitor, {shop_a, "chat", "office"}));
}

TEST_F(PolicyTest, a_claim_is_found_by_name) {
    Identity user = *visitor;
    user.claims = {{"role", "clerk"}};
    EXPECT_EQ(user.claim("role"), "clerk");
    EXPECT_EQ(user.claim("team"), std::nullopt);
}

}  // namespace
}  // namespace sluice::identity
