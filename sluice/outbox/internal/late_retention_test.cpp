// Retention while a unit is open that wrote a message before those that are removed.
#include "sluice/outbox/internal/test_tick_bed.hpp"

namespace sluice::outbox {
namespace {

using ::testing::ElementsAre;

class LateRetention : public ::testing::TestWithParam<db::Dialect> {
protected:
    void SetUp() override {
        Settings settings;
        settings.retention.active_interval = settings.retention.min_interval = std::chrono::milliseconds(0);
        settings.retention.idle_interval = settings.retention.rest_interval = std::chrono::milliseconds(1);
        QueueSettings keep_nothing;
        keep_nothing.retention = std::chrono::seconds(0);
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency()).settings(settings).queue("orders", lanes(1), keep_nothing);
        builder.transactional("orders", "all",
                              [this](db::UnitOfWork&, const Message& message) { return note(message); });
        outbox = bed.run(builder.start());
    }
    void TearDown() override { bed.run(outbox->stop(std::chrono::seconds(5))); }

    db::Task<Outcome> note(const Message& message) {
        seen.push_back(message.payload);
        co_return Outcome::ok();
    }
    [[nodiscard]] bool drained() { return bed.run(outbox->drained(std::chrono::seconds(20))); }
    db::Task<bool> wait_for_messages(std::int64_t wanted) {
        for (int look = 0; look < 4'000; ++look) {
            std::unique_ptr<db::Connection> connection = co_await bed.source->acquire(db::AccessIntent::read);
            const db::Result rows = co_await connection->query("select count(*) from sluice_message");
            if (rows.rows.at(0).get<std::int64_t>(0) == wanted) co_return true;
            connection.reset();
            co_await runtime::sleep_for(std::chrono::milliseconds(5));  // lint: allow sleep: between two looks
        }
        co_return false;
    }
    [[nodiscard]] bool becomes(std::int64_t messages) { return bed.run(wait_for_messages(messages)); }

    TickBed bed{GetParam()};
    std::unique_ptr<Outbox> outbox;
    std::vector<std::string> seen;
};

TEST_P(LateRetention, keeps_what_an_open_unit_wrote_and_delivers_it_after_its_commit) {
    const auto late = bed.open_unit();
    bed.run(late->run(bed.insert_sql("late")));
    for (const char* const payload : {"1", "2", "3"}) {
        bed.insert(payload);
        ASSERT_TRUE(drained());
    }
    ASSERT_TRUE(becomes(1)) << "the newest tick stays, nothing else that is committed does";

    bed.run(late->commit());
    ASSERT_TRUE(drained());
    EXPECT_THAT(seen, ElementsAre("1", "2", "3", "late"));

    bed.insert("4");
    ASSERT_TRUE(drained());
    ASSERT_TRUE(becomes(1)) << "the late message goes with its tick";
    EXPECT_EQ(bed.number("select count(*) from sluice_message where payload = '4'"), 1);
    EXPECT_THAT(seen, ElementsAre("1", "2", "3", "late", "4"));
}

INSTANTIATE_TEST_SUITE_P(On, LateRetention, ::testing::ValuesIn(servers()), name_of_server);

}  // namespace
}  // namespace sluice::outbox
