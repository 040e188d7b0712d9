// Dead letters on a real database: what is kept, found, claimed, ended and written down.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/outbox/internal/sql.hpp"
#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// Queue "orders" of four lanes; "audit" rejects what it is told.
class DeadLettersOnDatabase : public ::testing::Test {
protected:
    void SetUp() override { start(); }
    void start() {
        auto builder = bed.builder();
        builder.queue("orders", lanes(4)).transactional("orders", "audit", audit.handler(), hasty(3));
        bed.start(builder);
    }
    /// Letters 1, 2, … for the payloads given, all of key "a".
    void bury(const std::vector<std::string>& payloads) {
        for (const std::string& payload : payloads) {
            audit.reject(payload);
            bed.publish("orders", {{"a", payload}});
            ASSERT_TRUE(bed.drained());
        }
    }
    [[nodiscard]] std::string tables() const {
        return bed.dump(
            "select * from sluice_dead_letter order by id; select * from sluice_dead_letter_audit order by"
            " letter, line; select count(*) from sluice_message; select count(*) from sluice_parked");
    }
    static DeadLetterFilter ids(std::vector<std::int64_t> ids) {
        DeadLetterFilter filter;
        filter.ids = std::move(ids);
        return filter;
    }
    static LetterOptions by(std::string actor, bool dry_run = false) {
        LetterOptions options;
        options.actor = std::move(actor);
        options.dry_run = dry_run;
        return options;
    }
    [[nodiscard]] std::vector<std::string> history(std::int64_t letter) {
        std::vector<std::string> lines;
        for (const LetterAudit& line : bed.run(bed.letters().audit(letter)))
            lines.push_back(line.action + "/" + line.actor + "/" + line.detail);
        return lines;
    }

    LettersBed bed;
    Script& audit = bed.script();
};

TEST_F(DeadLettersOnDatabase, a_rejected_message_becomes_a_letter_with_a_full_copy) {
    Outgoing message = Testbed::outgoing("orders", "a", "1");
    message.type = "Placed";
    message.tenant = "shop_a";
    message.trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    message.headers = {{"origin", "till"}};
    audit.reject("1", "no such article");
    bed.publish_message(message);
    ASSERT_TRUE(bed.drained());

    const std::vector<DeadLetter> letters = bed.list();

    ASSERT_EQ(letters.size(), 1U);
    const DeadLetter& letter = letters[0];
    EXPECT_EQ(letter.id, 1);
    EXPECT_EQ(letter.subscription, "audit");
    EXPECT_EQ(letter.state, LetterState::pending);
    EXPECT_EQ(letter.reason, "no such article");
    EXPECT_FALSE(letter.completed_at.has_value());
    EXPECT_EQ(letter.message.id, core::MessageId(1));
    EXPECT_EQ(letter.message.queue, "orders");
    EXPECT_EQ(letter.message.key, "a");
    EXPECT_EQ(letter.message.type, "Placed");
    EXPECT_EQ(letter.message.payload, "1");
    EXPECT_EQ(letter.message.tenant, "shop_a");
    EXPECT_EQ(letter.message.trace, message.trace);
    EXPECT_EQ(letter.message.headers, message.headers);
    EXPECT_EQ(letter.message.sequence, core::Sequence(1));
    EXPECT_EQ(letter.message.position, core::Position(1));
    EXPECT_EQ(letter.message.ledger_epoch, bed.outbox->ledger_epoch());
    EXPECT_EQ(letter.message.attempts, 1);
    EXPECT_LE(letter.message.created_at, letter.failed_at);
    EXPECT_EQ(bed.number("select max(seq) from sluice_cursor"), 1) << "the lane went on";
}

TEST_F(DeadLettersOnDatabase, a_message_that_failed_as_often_as_it_may_becomes_a_letter_with_the_last_reason) {
    audit.retry("1", milliseconds(0));
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());
    ASSERT_TRUE(bed.becomes("select count(*) from sluice_dead_letter", 1));

    const std::vector<DeadLetter> letters = bed.list();

    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0].message.attempts, 3);
    EXPECT_EQ(letters[0].reason, "later");
    EXPECT_THAT(audit.payloads(), ElementsAre("2"));
    EXPECT_EQ(bed.number("select count(*) from sluice_attempt"), 0);
}

TEST_F(DeadLettersOnDatabase, bytes_that_are_no_text_are_kept_as_they_were) {
    const std::string payload("\x00\xff\x01", 3);
    audit.reject(payload);
    bed.publish("orders", {{"a", payload}});
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(bed.list().at(0).message.payload, payload);
}

TEST_F(DeadLettersOnDatabase, a_reason_that_is_long_or_no_text_is_made_fit_to_be_stored) {
    audit.reject("1", std::string(5'000, 'x'));
    audit.reject("2", std::string("bad \xff byte\0!", 12));
    bed.publish("orders", {{"a", "1"}, {"a", "2"}});
    ASSERT_TRUE(bed.drained());

    const std::vector<DeadLetter> letters = bed.list();

    ASSERT_EQ(letters.size(), 2U);
    EXPECT_LE(letters[0].reason.size(), 2'000U);
    EXPECT_GE(letters[0].reason.size(), 1'990U);
    EXPECT_EQ(letters[1].reason, "bad ? byte?!");
}

TEST_F(DeadLettersOnDatabase, list_pages_by_the_last_id_also_when_a_letter_failed_again_meanwhile) {
    bury({"1", "2", "3"});
    const LetterReport claimed = bed.run(bed.letters().claim(ids({1}), seconds(60)));
    bed.run(bed.letters().reject(claimed.claim, "again"));  // now the latest failure, and still the first letter

    std::vector<std::int64_t> seen;
    for (std::int64_t after = 0;;) {
        const std::vector<DeadLetter> page = bed.run(bed.letters().list({}, 2, after));
        if (page.empty()) break;
        for (const DeadLetter& letter : page)
            seen.push_back(letter.id);
        after = page.back().id;
    }

    EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(DeadLettersOnDatabase, count_knows_no_limit) {
    std::vector<std::pair<std::string, std::string>> messages;
    for (int i = 0; i < 150; ++i) {
        messages.emplace_back("a", std::to_string(i));
        audit.reject(std::to_string(i));
    }
    bed.publish("orders", messages);
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(bed.count(), 150U);
    EXPECT_EQ(bed.list().size(), 100U);
}

TEST_F(DeadLettersOnDatabase, list_and_count_mean_pending_letters_unless_they_are_told_otherwise) {
    bury({"1", "2", "3", "4"});
    bed.run(bed.letters().discard(ids({2})));
    const LetterReport claimed = bed.run(bed.letters().claim(ids({3, 4}), seconds(60)));
    bed.run(bed.letters().resolve(claimed.claim, ids({4})));

    EXPECT_EQ(bed.count(), 1U);
    EXPECT_EQ(bed.list().at(0).id, 1);
    EXPECT_EQ(bed.count(LetterState::discarded), 1U);
    EXPECT_EQ(bed.count(LetterState::reprocessing), 1U);
    EXPECT_EQ(bed.count(LetterState::resolved), 1U);
    DeadLetterFilter all;
    all.states = {LetterState::pending, LetterState::reprocessing, LetterState::resolved, LetterState::discarded};
    const std::vector<DeadLetter> letters = bed.list(all);
    ASSERT_EQ(letters.size(), 4U);
    EXPECT_FALSE(letters[0].completed_at.has_value());
    EXPECT_TRUE(letters[1].completed_at.has_value());
    EXPECT_FALSE(letters[2].completed_at.has_value());
    EXPECT_TRUE(letters[3].completed_at.has_value());
}

TEST_F(DeadLettersOnDatabase, a_claim_holds_its_letters_against_everybody_else) {
    bury({"1", "2"});

    const LetterReport claimed = bed.run(bed.letters().claim(ids({1}), seconds(60)));

    EXPECT_FALSE(claimed.claim.empty());
    EXPECT_THAT(claimed.ids, ElementsAre(1));
    EXPECT_THAT(bed.run(bed.letters().claim(ids({1}), seconds(60))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().discard(ids({1}))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().replay(ids({1}))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().claim({}, seconds(60))).ids, ElementsAre(2));
}

TEST_F(DeadLettersOnDatabase, a_claim_that_found_nothing_has_no_token) {
    EXPECT_EQ(bed.run(bed.letters().claim({}, seconds(60))).claim, "");
}

TEST_F(DeadLettersOnDatabase, after_its_lease_a_claim_holds_nothing_and_the_letters_may_be_claimed_again) {
    bury({"1"});
    const LetterReport first = bed.run(bed.letters().claim({}, milliseconds(1)));

    ASSERT_TRUE(bed.becomes(
        sql::expand("select count(*) from sluice_dead_letter where claim_until < {now}", bed.dialect()), 1));
    const LetterReport second = bed.run(bed.letters().claim({}, seconds(60)));

    EXPECT_NE(second.claim, first.claim);
    EXPECT_EQ(error_of([&] { bed.run(bed.letters().resolve(first.claim)); }).first, "conflict");
    EXPECT_EQ(error_of([&] { bed.run(bed.letters().reject(first.claim, "late")); }).first, "conflict");
    EXPECT_THAT(bed.run(bed.letters().resolve(second.claim)).ids, ElementsAre(1));
}

TEST_F(DeadLettersOnDatabase, resolve_ends_only_what_the_claim_holds) {
    bury({"1", "2", "3"});
    const LetterReport claimed = bed.run(bed.letters().claim(ids({1, 2}), seconds(60)));

    EXPECT_EQ(error_of([&] { bed.run(bed.letters().resolve("somebody else's")); }).first, "conflict");
    EXPECT_THAT(bed.run(bed.letters().resolve(claimed.claim, ids({2, 3}))).ids, ElementsAre(2));

    EXPECT_EQ(bed.count(LetterState::resolved), 1U);
    EXPECT_EQ(bed.count(LetterState::reprocessing), 1U);
    EXPECT_EQ(bed.count(), 1U);
}

TEST_F(DeadLettersOnDatabase, reject_makes_a_letter_pending_with_one_more_failure) {
    bury({"1"});
    const db::Timestamp failed = bed.list().at(0).failed_at;
    const LetterReport claimed = bed.run(bed.letters().claim({}, seconds(60)));

    bed.run(bed.letters().reject(claimed.claim, "still no such article"));

    const DeadLetter letter = bed.list().at(0);
    EXPECT_EQ(letter.reason, "still no such article");
    EXPECT_EQ(letter.message.attempts, 2);
    EXPECT_GE(letter.failed_at, failed);
    EXPECT_EQ(error_of([&] { bed.run(bed.letters().resolve(claimed.claim)); }).first, "conflict");
}

TEST_F(DeadLettersOnDatabase, a_discarded_letter_stays_discarded) {
    bury({"1"});

    EXPECT_THAT(bed.run(bed.letters().discard({})).ids, ElementsAre(1));

    EXPECT_THAT(bed.run(bed.letters().replay({})).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().claim({}, seconds(60))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().discard({})).ids, IsEmpty());
    EXPECT_EQ(bed.count(LetterState::discarded), 1U);
}

TEST_F(DeadLettersOnDatabase, cleanup_deletes_what_ended_long_enough_ago_with_its_history) {
    bury({"1", "2", "3"});
    bed.run(bed.letters().discard(ids({1, 2})));
    bed.execute("update sluice_dead_letter set completed_at = completed_at - 3600000000 where id = 1");

    EXPECT_THAT(bed.run(bed.letters().cleanup({}, seconds(7'200))).ids, IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().cleanup({}, seconds(1'800))).ids, ElementsAre(1));

    EXPECT_THAT(history(1), IsEmpty());
    EXPECT_THAT(bed.run(bed.letters().cleanup({}, seconds(0))).ids, ElementsAre(2));
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter"), 1) << "a pending letter is never cleaned up";
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter_audit"), 0);
}

TEST_F(DeadLettersOnDatabase, a_call_takes_no_more_than_its_limit_and_the_oldest_failures_first) {
    bury({"1", "2", "3"});
    const LetterReport claimed = bed.run(bed.letters().claim(ids({1}), seconds(60)));
    bed.run(bed.letters().reject(claimed.claim, "again"));
    bed.execute("update sluice_dead_letter set failed_at = failed_at + 1000 where id = 1");
    LetterOptions two;
    two.limit = 2;

    EXPECT_THAT(bed.run(bed.letters().discard({}, two)).ids, ElementsAre(2, 3));
}

TEST_F(DeadLettersOnDatabase, a_dry_run_answers_what_would_be_done_and_changes_nothing) {
    bury({"1", "2", "3"});
    bed.run(bed.letters().discard(ids({3})));
    const LetterReport held = bed.run(bed.letters().claim(ids({2}), seconds(60)));
    const std::string before = tables();
    const LetterOptions dry = by("me", true);

    const LetterReport claimed = bed.run(bed.letters().claim({}, seconds(60), dry));
    EXPECT_THAT(claimed.ids, ElementsAre(1));
    EXPECT_EQ(claimed.claim, "") << "nothing was claimed";
    const LetterReport at_end = bed.run(bed.letters().replay({}, dry));
    EXPECT_THAT(at_end.ids, ElementsAre(1));
    EXPECT_EQ(at_end.claim, "");
    EXPECT_THAT(bed.run(bed.letters().replay({}, dry, ReplayPlace::in_order)).ids, ElementsAre(1));
    EXPECT_THAT(bed.run(bed.letters().discard({}, dry)).ids, ElementsAre(1));
    EXPECT_THAT(bed.run(bed.letters().resolve(held.claim, {}, dry)).ids, ElementsAre(2));
    EXPECT_THAT(bed.run(bed.letters().reject(held.claim, "no", {}, dry)).ids, ElementsAre(2));
    EXPECT_THAT(bed.run(bed.letters().cleanup({}, seconds(0), dry)).ids, ElementsAre(3));

    EXPECT_EQ(tables(), before);
    EXPECT_THAT(audit.payloads(), IsEmpty());
}

TEST_F(DeadLettersOnDatabase, every_change_leaves_a_line_that_says_who_did_what) {
    bury({"1", "2"});
    const LetterReport first = bed.run(bed.letters().claim(ids({1}), seconds(60), by("ann")));
    bed.run(bed.letters().reject(first.claim, "not yet", {}, by("bob")));
    const LetterReport second = bed.run(bed.letters().claim(ids({1}), milliseconds(60'000), by("ann")));
    bed.run(bed.letters().resolve(second.claim, {}, by("ann")));
    bed.run(bed.letters().discard(ids({2}), by("cid")));

    EXPECT_THAT(history(1), ElementsAre("claimed/ann/for 60000 ms", "rejected/bob/not yet", "claimed/ann/for 60000 ms",
                                        "resolved/ann/by hand"));
    EXPECT_THAT(history(2), ElementsAre("discarded/cid/"));
    const std::vector<LetterAudit> lines = bed.run(bed.letters().audit(1));
    EXPECT_LE(lines.front().at, lines.back().at);
    EXPECT_THAT(history(99), IsEmpty());
}

TEST_F(DeadLettersOnDatabase, letters_and_claims_outlive_a_restart) {
    bury({"1", "2"});
    const LetterReport claimed = bed.run(bed.letters().claim(ids({1}), seconds(60)));

    bed.stop();
    start();

    EXPECT_EQ(bed.count(), 1U);
    EXPECT_THAT(bed.run(bed.letters().resolve(claimed.claim)).ids, ElementsAre(1));
    ASSERT_TRUE(bed.drained());
    EXPECT_THAT(audit.payloads(), IsEmpty()) << "a letter is not delivered again by itself";
}

TEST_F(DeadLettersOnDatabase, a_thousand_letters_are_changed_in_one_call) {
    bed.execute(std::string("insert into sluice_dead_letter(subscription, lane, seq, lane_of_message, sequence, "
                            "position, ledger_epoch,"
                            " message, queue, \"key\", type, payload, created_at, attempts, reason)"
                            " select 'audit', 0, i, 0, i, i, 1, i, 1, 'a', 'Noted', ") +
                bed.sql_text.payload("'p' || i") + ", 0, 1, 'no' from " + bed.sql_text.numbers(1'000));
    LetterOptions many;
    many.limit = 1'000;

    EXPECT_EQ(bed.run(bed.letters().replay({}, many)).ids.size(), 1'000U);
    ASSERT_TRUE(bed.drained());

    EXPECT_EQ(audit.done.size(), 1'000U);
    EXPECT_EQ(audit.done.front().payload, "p1");
    EXPECT_EQ(audit.done.back().payload, "p1000");
    EXPECT_EQ(bed.count(LetterState::resolved), 1'000U);
    EXPECT_EQ(bed.run(bed.letters().cleanup({}, seconds(0), many)).ids.size(), 1'000U);
    EXPECT_EQ(bed.number("select count(*) from sluice_dead_letter"), 0);
}

TEST_F(DeadLettersOnDatabase, limits_leases_and_ages_that_cannot_be_meant_are_refused_by_name) {
    LetterOptions none;
    none.limit = 0;
    LetterOptions many;
    many.limit = 1'001;
    DeadLetters& letters = bed.letters();

    EXPECT_THAT(error_of([&] { bed.run(letters.list({}, 0)); }), Pair("config", HasSubstr("limit is 0")));
    EXPECT_THAT(error_of([&] { bed.run(letters.discard({}, none)); }), Pair("config", HasSubstr("limit is 0")));
    EXPECT_THAT(error_of([&] { bed.run(letters.replay({}, many)); }),
                Pair("config", HasSubstr("limit is 1001, it must be from 1 to 1000")));
    EXPECT_THAT(error_of([&] { bed.run(letters.claim({}, milliseconds(0))); }),
                Pair("config", HasSubstr("lease is 0 ms")));
    EXPECT_THAT(error_of([&] { bed.run(letters.cleanup({}, seconds(-1))); }),
                Pair("config", HasSubstr("older_than is -1 s")));
    EXPECT_THAT(error_of([&] { bed.run(letters.parked(std::nullopt, 0)); }), Pair("config", HasSubstr("limit is 0")));
}

TEST_F(DeadLettersOnDatabase, states_are_refused_where_the_call_chooses_them_itself) {
    DeadLetterFilter filter;
    filter.states.push_back(LetterState::resolved);
    DeadLetters& letters = bed.letters();

    EXPECT_THAT(error_of([&] { bed.run(letters.discard(filter)); }), Pair("config", HasSubstr("filter.states")));
    EXPECT_THAT(error_of([&] { bed.run(letters.replay(filter)); }), Pair("config", HasSubstr("filter.states")));
    EXPECT_THAT(error_of([&] { bed.run(letters.cleanup(filter, seconds(0))); }),
                Pair("config", HasSubstr("filter.states")));
}

}  // namespace
}  // namespace sluice::outbox
