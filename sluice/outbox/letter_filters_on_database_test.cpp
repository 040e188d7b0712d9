// Every field of a dead letter filter on a real database: what it finds, and what it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// Five letters that differ in every field.
class EveryFilter : public ::testing::Test {
protected:
    void SetUp() override {
        auto builder = bed.builder();
        builder.queue("orders", lanes(4)).queue("stock", lanes(1));
        builder.transactional("orders", "audit", script.handler(), hasty(3));
        builder.transactional("stock", "mail", script.handler(), hasty(3));
        bed.start(builder);
        bury("orders", "a", "Placed", "");                                                                       // 1
        bury("orders", "b", "Placed", "shop_a");                                                                 // 2
        bury("orders", "", "Cancelled", "shop_a");                                                               // 3
        bury("stock", "a", "Received", "shop_b");                                                                // 4
        bed.execute("insert into sluice_message(queue, \"key\", type, payload) values (99, 'a', 'Lost', 'x')");  // 5
        EXPECT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 5));
        bed.execute("update sluice_dead_letter set failed_at = 1000000 * id");
    }
    void bury(const std::string& queue, const std::string& key, const std::string& type, const std::string& tenant) {
        Outgoing message = Testbed::outgoing(queue, key, "refused");
        message.type = type;
        message.tenant = tenant;
        script.reject("refused");
        bed.publish_message(message);
        ASSERT_TRUE(bed.drained());
    }
    [[nodiscard]] std::vector<std::int64_t> found(const DeadLetterFilter& by) {
        std::vector<std::int64_t> ids;
        for (const DeadLetter& letter : bed.list(by))
            ids.push_back(letter.id);
        EXPECT_EQ(bed.count(by), ids.size());
        LetterOptions dry;
        dry.dry_run = true;
        EXPECT_EQ(bed.run(bed.letters().discard(by, dry)).ids, ids) << "a change chooses by the same rules";
        return ids;
    }
    [[nodiscard]] std::pair<std::string, std::string> refused(const DeadLetterFilter& by) {
        const auto listed = error_of([&] { bed.run(bed.letters().list(by)); });
        EXPECT_EQ(error_of([&] { bed.run(bed.letters().count(by)); }), listed);
        EXPECT_EQ(error_of([&] { bed.run(bed.letters().discard(by)); }), listed);
        EXPECT_EQ(error_of([&] { bed.run(bed.letters().replay(by)); }), listed);
        EXPECT_EQ(bed.count(), 5U);
        return listed;
    }
    static db::Timestamp at(std::int64_t second) { return db::Timestamp(seconds(second)); }

    LettersBed bed;
    Script& script = bed.script();
    DeadLetterFilter filter;
};

TEST_F(EveryFilter, none_finds_all) {
    EXPECT_THAT(found(filter), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(EveryFilter, subscription) {
    filter.subscription = "mail";
    EXPECT_THAT(found(filter), ElementsAre(4));
}

TEST_F(EveryFilter, subscription_that_is_empty_finds_what_none_has_seen) {
    filter.subscription = "";
    EXPECT_THAT(found(filter), ElementsAre(5));
}

TEST_F(EveryFilter, queue) {
    filter.queue = "orders";
    EXPECT_THAT(found(filter), ElementsAre(1, 2, 3));
}

TEST_F(EveryFilter, lane) {
    const core::LaneId lane = bed.list().at(1).message.lane;
    ASSERT_NE(lane, bed.list().at(0).message.lane) << "two keys of one lane say nothing here";
    filter.queue = "orders";
    filter.key = "b";
    filter.lane = lane;
    EXPECT_THAT(found(filter), ElementsAre(2));
    filter.lane = bed.list().at(0).message.lane;
    EXPECT_THAT(found(filter), IsEmpty());
}

TEST_F(EveryFilter, key) {
    filter.key = "a";
    EXPECT_THAT(found(filter), ElementsAre(1, 4, 5));
}

TEST_F(EveryFilter, key_that_is_empty_finds_messages_without_one) {
    filter.key = "";
    EXPECT_THAT(found(filter), ElementsAre(3));
}

TEST_F(EveryFilter, type) {
    filter.type = "Placed";
    EXPECT_THAT(found(filter), ElementsAre(1, 2));
}

TEST_F(EveryFilter, tenant) {
    filter.tenant = "shop_a";
    EXPECT_THAT(found(filter), ElementsAre(2, 3));
}

TEST_F(EveryFilter, tenant_that_is_empty_finds_messages_without_one) {
    filter.tenant = "";
    EXPECT_THAT(found(filter), ElementsAre(1, 5));
}

TEST_F(EveryFilter, failed_from_is_inclusive) {
    filter.failed_from = at(4);
    EXPECT_THAT(found(filter), ElementsAre(4, 5));
}

TEST_F(EveryFilter, failed_until_is_exclusive) {
    filter.failed_until = at(2);
    EXPECT_THAT(found(filter), ElementsAre(1));
}

TEST_F(EveryFilter, ids) {
    filter.ids = {2, 5, 77};
    EXPECT_THAT(found(filter), ElementsAre(2, 5));
}

TEST_F(EveryFilter, all_that_are_given_must_hold) {
    filter.subscription = "audit";
    filter.queue = "orders";
    filter.key = "b";
    filter.type = "Placed";
    filter.tenant = "shop_a";
    filter.failed_from = at(1);
    filter.failed_until = at(4);
    filter.ids = {1, 2, 3};
    EXPECT_THAT(found(filter), ElementsAre(2));
    filter.type = "Cancelled";
    EXPECT_THAT(found(filter), IsEmpty());
}

TEST_F(EveryFilter, chooses_for_claim_resolve_reject_replay_and_cleanup_too) {
    filter.key = "a";
    const LetterReport claimed = bed.run(bed.letters().claim(filter, seconds(60)));
    EXPECT_THAT(claimed.ids, ElementsAre(1, 4, 5));
    DeadLetterFilter mail;
    mail.subscription = "mail";
    DeadLetterFilter placed;
    placed.type = "Placed";
    EXPECT_THAT(bed.run(bed.letters().resolve(claimed.claim, mail)).ids, ElementsAre(4));
    EXPECT_THAT(bed.run(bed.letters().reject(claimed.claim, "no", placed)).ids, ElementsAre(1));
    EXPECT_THAT(bed.run(bed.letters().cleanup(placed, seconds(0))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().cleanup(mail, seconds(0))).ids, ElementsAre(4));
    DeadLetterFilter cancelled;
    cancelled.type = "Cancelled";
    EXPECT_THAT(bed.run(bed.letters().replay(cancelled)).ids, ElementsAre(3));
}

TEST_F(EveryFilter, quotes_and_percent_signs_are_text) {
    filter.key = "a' or '1' = '1";
    EXPECT_THAT(found(filter), IsEmpty());
    filter.key = "%";
    EXPECT_THAT(found(filter), IsEmpty());
}

TEST_F(EveryFilter, unknown_subscription_is_an_error_that_names_it) {
    filter.subscription = "adit";
    EXPECT_THAT(refused(filter), Pair("not_found", HasSubstr("filter.subscription 'adit'")));
}

TEST_F(EveryFilter, unknown_queue_is_an_error_that_names_it) {
    filter.queue = "order";
    EXPECT_THAT(refused(filter), Pair("not_found", HasSubstr("filter.queue 'order'")));
}

TEST_F(EveryFilter, names_that_cannot_be_are_refused_by_field) {
    filter.queue = "or ders";
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.queue 'or ders'")));
    filter = {};
    filter.subscription = "-audit";
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.subscription '-audit'")));
}

TEST_F(EveryFilter, texts_that_no_message_can_have_are_refused_by_field) {
    filter.key = std::string(513, 'k');
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.key of 513 bytes")));
    filter = {};
    filter.tenant = "\xff";
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.tenant of 1 bytes")));
    filter = {};
    filter.type = "";
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.type is empty")));
    filter.type = std::string(256, 't');
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.type of 256 bytes")));
}

TEST_F(EveryFilter, numbers_and_times_that_cannot_be_are_refused_by_field) {
    filter.lane = core::LaneId(4'096);
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.lane is 4096")));
    filter = {};
    filter.ids = {1, 0};
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.ids has 0")));
    filter.ids.assign(1'001, 1);
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.ids has 1001 entries")));
    filter = {};
    filter.failed_from = filter.failed_until = at(3);
    EXPECT_THAT(refused(filter), Pair("config", HasSubstr("filter.failed_from is not before filter.failed_until")));
}

}  // namespace
}  // namespace sluice::outbox
