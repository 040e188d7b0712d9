// A tick of several pages reads one view: what commits between two of its requests is left, whole, to the next one.
#include "sluice/outbox/internal/test_between.hpp"
#include "sluice/outbox/internal/test_tick_bed.hpp"

namespace sluice::outbox {
namespace {

class MariadbPages : public ::testing::Test {
protected:
    /// `late` commits, and behind it, begun after that commit was acknowledged, `after it`.
    db::Task<void> commit_both(HeldUnit& late) {
        co_await late.commit();
        HeldUnit next(co_await bed.source->begin({}));
        co_await next.run(bed.insert_sql("after it"));
        co_await next.commit();
    }

    TickBed bed{db::Dialect::mariadb};
};

TEST_F(MariadbPages, commits_between_two_pages_are_left_to_the_next_tick_in_their_order) {
    constexpr int kBacklog = 300;  // several pages
    const auto late = bed.open_unit();
    bed.run(late->run(bed.insert_sql("late")));
    bed.execute("insert into sluice_message(queue, \"key\", type, payload) select 1, 'a', 'Noted', " +
                bed.sql_text.payload("'' || i") + " from " + bed.sql_text.numbers(kBacklog) + " order by i");
    bool armed = false;
    const Between commits = [&](db::Transaction&) -> db::Task<void> {
        if (std::exchange(armed, false)) co_await commit_both(*late);
    };
    const auto process = bed.process({}, std::make_shared<SourceWithPauses>(bed.source, commits));

    armed = true;
    bed.tick(*process);
    EXPECT_FALSE(armed) << "the tick was one request";
    EXPECT_EQ(process->ticks.at(0).tick.count(), kBacklog);
    bed.tick_all(*process);

    const std::vector<std::string> log = bed.log();
    ASSERT_EQ(log.size(), std::size_t{kBacklog + 2});
    EXPECT_EQ(log[kBacklog], "late") << "its id is below the first page's";
    EXPECT_EQ(log[kBacklog + 1], "after it");
    EXPECT_EQ(bed.number("select count(*) from sluice_incoming"), 0);
}

}  // namespace
}  // namespace sluice::outbox
