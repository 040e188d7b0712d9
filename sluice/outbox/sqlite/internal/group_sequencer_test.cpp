// Numbering within the writer's group, on a real file, and what becomes of it when the group is rolled back.
#include "sluice/outbox/sqlite/internal/group_sequencer.hpp"

#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox::sqlite {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Calls the sequencer, then fails the group if so told: as a COMMIT that fails would.
class FailingHook final : public db::sqlite::GroupHook {
public:
    explicit FailingHook(std::shared_ptr<GroupSequencer> inner) : inner_(std::move(inner)) {}

    bool before_commit(db::sqlite::WriterSession& session) override {
        const bool wrote = inner_->before_commit(session);
        if (failing.load()) throw core::Error("the group is lost");
        return wrote;
    }
    void after_commit() noexcept override { inner_->after_commit(); }
    void after_rollback() noexcept override { inner_->after_rollback(); }

    std::atomic<bool> failing{false};

private:
    std::shared_ptr<GroupSequencer> inner_;
};

/// A file with the queue "orders" and a sequencer whose ticks are kept.
struct Numbering {
    Numbering() {
        auto builder = bed.builder();
        builder.queue("orders", lanes(1));
        bed.start(builder);
        bed.stop();
        auto deliver = [this](std::vector<Numbered> ticks) {
            const std::scoped_lock lock(mutex);
            for (Numbered& numbered : ticks)
                delivered.push_back(std::move(numbered));
        };
        SequencerSettings settings;
        settings.source = "shop";
        auto sequencer =
            std::make_shared<GroupSequencer>(settings, core::real_clock(), core::Logger(), SequencerMetrics{},
                                             std::move(deliver), [this] { bed.sqlite().request_group(true); });
        hook = std::make_shared<FailingHook>(std::move(sequencer));
        bed.sqlite().set_group_hook(hook);
    }
    ~Numbering() { bed.sqlite().set_group_hook(nullptr); }
    Numbering(const Numbering&) = delete;
    Numbering& operator=(const Numbering&) = delete;

    /// Returns once the group in progress has ended: a unit is answered before its tick is handed over.
    void settle() { bed.sqlite().set_group_hook(hook); }
    std::vector<std::int64_t> positions() {
        settle();
        const std::scoped_lock lock(mutex);
        std::vector<std::int64_t> all;
        for (const Numbered& numbered : delivered)
            for (const LoggedMessage& logged : numbered.slice.messages)
                all.push_back(logged.message->position.value());
        return all;
    }

    Testbed bed;
    std::mutex mutex;
    std::vector<Numbered> delivered;  // guarded by mutex; written by the writer's thread
    std::shared_ptr<FailingHook> hook;
};

TEST(SqliteGroupNumbering, a_group_that_is_rolled_back_hands_nothing_over) {
    Numbering test;
    test.hook->failing = true;

    const std::string failure = failure_text([&] { test.bed.publish("orders", {{"k", "1"}}); });

    EXPECT_FALSE(failure.empty());
    EXPECT_THAT(test.positions(), IsEmpty());
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);
}

TEST(SqliteGroupNumbering, the_numbers_of_a_group_that_was_rolled_back_are_given_again) {
    Numbering test;
    test.bed.publish("orders", {{"k", "1"}});
    test.hook->failing = true;
    EXPECT_FALSE(failure_text([&] { test.bed.publish("orders", {{"k", "lost"}, {"k", "lost too"}}); }).empty());
    test.hook->failing = false;

    test.bed.publish("orders", {{"k", "2"}});
    test.bed.publish("orders", {{"k", "3"}});

    EXPECT_THAT(test.positions(), ElementsAre(1, 2, 3));
    EXPECT_THAT(texts(test.bed, "select payload from sluice_message order by id"), ElementsAre("1", "2", "3"));
    EXPECT_EQ(test.bed.number("select max(n) from sluice_tick"), 3);
}

TEST(SqliteGroupNumbering, a_group_without_messages_makes_no_tick) {
    Numbering test;
    test.bed.execute("create table business(id integer)");
    test.bed.execute("insert into business values (1)");

    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);
    EXPECT_THAT(test.positions(), IsEmpty());
}

TEST(SqliteGroupNumbering, ticks_of_another_process_are_handed_over_without_their_messages) {
    Numbering test;
    test.bed.publish("orders", {{"k", "1"}});
    const auto other = test.bed.open();
    auto second = std::make_shared<GroupSequencer>(
        SequencerSettings{"shop"}, core::real_clock(), core::Logger(), SequencerMetrics{},
        [](const std::vector<Numbered>&) {}, [] {});
    dynamic_cast<db::sqlite::Database&>(*other).set_group_hook(second);
    const auto body = [](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", {{"k", "2"}}); };
    test.bed.run(other->transaction({}, body));

    test.bed.publish("orders", {{"k", "3"}});

    dynamic_cast<db::sqlite::Database&>(*other).set_group_hook(nullptr);
    test.settle();
    const std::scoped_lock lock(test.mutex);
    std::vector<std::int64_t> ticks;
    std::vector<std::size_t> messages;
    for (const Numbered& numbered : test.delivered) {
        ticks.push_back(numbered.tick.n);
        messages.push_back(numbered.slice.messages.size());
    }
    EXPECT_THAT(ticks, ElementsAre(1, 2, 3));
    EXPECT_THAT(messages, ElementsAre(1, 0, 1));
}

TEST(SqliteGroupNumbering, a_ledger_that_went_back_is_refused_and_nothing_is_numbered) {
    Numbering test;
    test.bed.publish("orders", {{"k", "1"}});
    test.bed.execute("delete from sluice_tick");

    test.bed.publish("orders", {{"k", "2"}});

    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 2) << "the producers are not to blame";
}

}  // namespace
}  // namespace sluice::outbox::sqlite
