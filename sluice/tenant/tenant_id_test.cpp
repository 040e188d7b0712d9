#include "sluice/tenant/tenant_id.hpp"

#include <gtest/gtest.h>

namespace sluice::tenant {
namespace {

TEST(tenant_id, the_grammar_decides) {
    for (const std::string& good :
         {std::string("a"), std::string("0"), std::string("shop_a"), std::string("a_"), std::string(48, 'x')})
        EXPECT_TRUE(TenantId::parse(good)) << good;
    for (const std::string& bad : {std::string(), std::string("_a"), std::string("A"), std::string("a-b"),
                                   std::string("a b"), std::string("a\0b", 3), std::string("ä"), std::string(49, 'x')})
        EXPECT_FALSE(TenantId::parse(bad)) << bad;
}

}  // namespace
}  // namespace sluice::tenant
