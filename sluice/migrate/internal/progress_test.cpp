#include "sluice/migrate/internal/progress.hpp"

#include <gtest/gtest.h>

#include "sluice/migrate/internal/plan.hpp"

namespace sluice::migrate::internal {
namespace {

using db::Dialect;

Migration search() {
    return {"shop", 4, "search", {{Dialect::postgres, {"a", "b", "c"}}}};
}

Progress after(std::size_t done, bool begun) {
    return {done, begun, checksum_of(search(), Dialect::postgres, done + (begun ? 1 : 0)), {}};
}

TEST(progress, the_text_that_follows_a_stop_may_be_corrected) {
    Migration corrected = search();
    corrected.statements[Dialect::postgres] = {"a", "b", "C", "d"};

    EXPECT_TRUE(check_progress(corrected, Dialect::postgres, after(2, false)));
    EXPECT_TRUE(check_progress(search(), Dialect::postgres, after(3, false)));
}

TEST(progress, the_text_that_was_run_may_not) {
    Migration changed = search();
    changed.statements[Dialect::postgres] = {"A", "b", "c"};

    const auto verdict = check_progress(changed, Dialect::postgres, after(1, false));

    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error(),
              "migration shop 0004 search stopped at its statement 1 and the text up to there was changed since; "
              "restore that text, then what follows may be corrected");
}

TEST(progress, nor_may_the_text_that_is_perhaps_run) {
    Migration changed = search();
    changed.statements[Dialect::postgres] = {"a", "B", "c"};

    EXPECT_FALSE(check_progress(changed, Dialect::postgres, after(1, true)));
    EXPECT_TRUE(check_progress(changed, Dialect::postgres, after(1, false)));
}

TEST(progress, a_text_that_became_shorter_than_what_was_run_is_refused) {
    Migration shorter = search();
    shorter.statements[Dialect::postgres] = {"a"};

    EXPECT_FALSE(check_progress(shorter, Dialect::postgres, after(2, false)));
}

}  // namespace
}  // namespace sluice::migrate::internal
