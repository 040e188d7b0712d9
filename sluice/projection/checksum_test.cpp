#include "sluice/projection/checksum.hpp"

#include <gtest/gtest.h>

namespace sluice::projection {
namespace {

TEST(checksum, follows_the_published_vectors_of_fnv_1a) {
    EXPECT_EQ(checksum(""), 0xcbf29ce484222325u);
    EXPECT_EQ(checksum("a"), 0xaf63dc4c8601ec8cu);
    EXPECT_EQ(checksum("foobar"), 0x85944171f73967e8u);
    EXPECT_EQ(checksum("chongo was here!\n"), 0x46810940eff5f915u);
}

TEST(checksum, is_fixed_for_a_state_as_it_is_stored) {
    EXPECT_EQ(checksum(R"({"on_hand":5,"reserved":0})"), 0x093008790139f5a3u);
}

}  // namespace
}  // namespace sluice::projection
