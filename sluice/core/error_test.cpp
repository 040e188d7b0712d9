#include "sluice/core/error.hpp"

#include <gtest/gtest.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/ids.hpp"
#include "sluice/core/mutant.hpp"

namespace sluice::core {
namespace {

TEST(Error, describes_itself_and_its_causes) {
    const auto root = std::make_exception_ptr(std::runtime_error("connection reset"));
    const auto middle = std::make_exception_ptr(Error("cannot acquire", root));
    EXPECT_EQ(describe(std::make_exception_ptr(Error("request failed", middle))),
              "request failed: caused by: cannot acquire: caused by: connection reset");
    EXPECT_EQ(describe(std::make_exception_ptr(7)), "an exception that is not a std::exception");
    EXPECT_EQ(describe(nullptr), "no error");
}

TEST(AssertDeathTest, stops_the_process_with_the_values) {
    const int begin = 3;
    const int end = 2;
    EXPECT_DEATH(SLUICE_ASSERT(begin <= end, "range runs backwards: {}..{}", begin, end),
                 "assertion failed: begin <= end: range runs backwards: 3\\.\\.2");
}

TEST(Strong, is_ordered_hashable_and_formattable) {
    const Sequence first(1);
    EXPECT_LT(first, first.next());
    EXPECT_EQ(std::hash<Sequence>{}(first), std::hash<Sequence>{}(Sequence(1)));
    EXPECT_EQ(fmt::format("{:>3}", first), "  1");
}

TEST(Mutant, none_is_chosen_unless_named) {
    EXPECT_FALSE(mutant("no_such_defect"));
}

}  // namespace
}  // namespace sluice::core
