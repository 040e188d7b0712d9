#include "sluice/app/internal/open_files.hpp"

#include <sys/resource.h>

#include <gtest/gtest.h>

namespace sluice::app::internal {
namespace {

class OpenFilesTest : public ::testing::Test {
protected:
    OpenFilesTest() { ::getrlimit(RLIMIT_NOFILE, &before_); }
    ~OpenFilesTest() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

    void lower_soft_limit(rlim_t to) {
        const rlimit low{to, before_.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    }
    static rlimit now() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return limit;
    }

    rlimit before_{};
};

TEST_F(OpenFilesTest, soft_limit_is_raised_to_the_hard_one) {
    lower_soft_limit(64);
    EXPECT_EQ(raise_open_files(), before_.rlim_max);
    EXPECT_EQ(now().rlim_cur, before_.rlim_max);
}

TEST_F(OpenFilesTest, hard_limit_stays) {
    lower_soft_limit(64);
    raise_open_files();
    EXPECT_EQ(now().rlim_max, before_.rlim_max);
}

TEST_F(OpenFilesTest, limit_that_is_as_high_as_it_may_be_stays) {
    lower_soft_limit(before_.rlim_max);
    EXPECT_EQ(raise_open_files(), before_.rlim_max);
}

}  // namespace
}  // namespace sluice::app::internal
