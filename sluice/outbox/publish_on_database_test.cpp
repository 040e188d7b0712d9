// What producers write, on a real database: units, savepoints, batches, fields, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/describe/class.hpp>

#include "sluice/core/random.hpp"
#include "sluice/db/error.hpp"
#include "sluice/outbox/internal/test_publishing.hpp"

namespace sluice::outbox {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PublishOnDatabase, id_is_known_once_the_unit_committed) {
    Publishing test;
    std::vector<Published> published;
    std::vector<std::int64_t> inside;

    test.unit([&](db::UnitOfWork& unit) {
        for (int i = 0; i < 3; ++i)
            published.push_back(publish(unit, order("k", std::to_string(i))));
        for (const Published& one : published)
            inside.push_back(one.id().value());
    });

    EXPECT_THAT(inside, Each(0));
    EXPECT_GT(published[0].id().value(), 0);
    EXPECT_EQ(published[1].id().value(), published[0].id().value() + 1);
    EXPECT_EQ(published[2].id().value(), published[1].id().value() + 1);
    ASSERT_THAT(test.delivered(), ElementsAre("0", "1", "2"));
    EXPECT_EQ(test.seen.messages[2].id, published[2].id());
}

TEST(PublishOnDatabase, a_unit_that_fails_leaves_no_message_and_no_id) {
    Publishing test;
    Published published;

    const std::string failure = failure_text([&] {
        test.unit([&](db::UnitOfWork& unit) {
            published = publish(unit, order("k", "lost"));
            throw core::Error("the order is refused");
        });
    });
    test.bed.publish("orders", {{"k", "kept"}});

    EXPECT_THAT(failure, HasSubstr("the order is refused"));
    EXPECT_EQ(published.id().value(), 0);
    EXPECT_THAT(test.delivered(), ElementsAre("kept"));
    EXPECT_EQ(test.seen.messages[0].sequence, core::Sequence(1)) << "what was rolled back left a gap";
}

/// Publishes `payload` and fails if so told; with a savepoint inside.
db::Task<void> nested(db::UnitOfWork& unit, std::string outer, std::string inner, bool inner_fails, bool outer_fails) {
    publish(unit, order("k", outer + " before"));
    std::function<db::Task<void>(db::UnitOfWork&)> body = [&](db::UnitOfWork& within) {
        publish(within, order("k", inner));
        if (inner_fails) throw core::Error("the savepoint is undone");
        return Testbed::publish_in(within, "orders", {});
    };
    std::exception_ptr error;
    try {
        co_await unit.savepoint(std::move(body));
    } catch (const core::Error&) {
        error = std::current_exception();
    }
    EXPECT_EQ(error != nullptr, inner_fails);
    publish(unit, order("k", outer + " after"));
    if (outer_fails) throw core::Error("the outer savepoint is undone");
}

TEST(PublishOnDatabase, a_savepoint_that_is_rolled_back_takes_its_messages_with_it) {
    Publishing test;

    const auto body = [](db::UnitOfWork& unit) { return nested(unit, "outer", "inner", true, false); };
    test.bed.run(test.bed.database->transaction({}, body));

    EXPECT_THAT(test.delivered(), ElementsAre("outer before", "outer after"));
}

TEST(PublishOnDatabase, a_savepoint_that_is_released_keeps_its_messages_in_their_place) {
    Publishing test;

    const auto body = [](db::UnitOfWork& unit) { return nested(unit, "outer", "inner", false, false); };
    test.bed.run(test.bed.database->transaction({}, body));

    EXPECT_THAT(test.delivered(), ElementsAre("outer before", "inner", "outer after"));
}

db::Task<void> twice_nested(db::UnitOfWork& unit) {
    publish(unit, order("k", "first"));
    std::function<db::Task<void>(db::UnitOfWork&)> body = [](db::UnitOfWork& within) {
        return nested(within, "outer", "inner", false, true);
    };
    std::exception_ptr error;
    try {
        co_await unit.savepoint(std::move(body));
    } catch (const core::Error&) {
        error = std::current_exception();
    }
    EXPECT_TRUE(error);
    publish(unit, order("k", "last"));
}

TEST(PublishOnDatabase, a_released_savepoint_is_taken_back_with_the_one_around_it) {
    Publishing test;

    test.bed.run(test.bed.database->transaction({}, twice_nested));

    EXPECT_THAT(test.delivered(), ElementsAre("first", "last"));
}

TEST(PublishOnDatabase, one_bad_message_rejects_the_batch_and_harms_nothing_else_of_the_unit) {
    Publishing test;
    std::string failure;

    test.unit([&](db::UnitOfWork& unit) {
        publish(unit, order("k", "alone"));
        std::vector<Outgoing> batch{order("k", "1"), order("k", "2"), order("k", "3")};
        batch[1].type = "";
        failure = failure_text([&] { publish_all(unit, std::move(batch)); });
    });

    EXPECT_THAT(failure, AllOf(HasSubstr("message 1"), HasSubstr("type")));
    EXPECT_THAT(test.delivered(), ElementsAre("alone"));
}

TEST(PublishOnDatabase, a_message_alone_answers_its_id) {
    Publishing test;
    for (const char* const payload : {"1", "2"}) {
        Published published;
        test.unit([&](db::UnitOfWork& unit) { published = publish(unit, order("a", payload)); });
        const std::string id = std::to_string(published.id().value());
        EXPECT_THAT(texts(test.bed, "select payload from sluice_message where id = " + id), ElementsAre(payload));
    }
}

TEST(PublishOnDatabase, a_batch_answers_ids_in_its_own_order) {
    Publishing test(4);
    std::vector<Published> published;

    test.unit([&](db::UnitOfWork& unit) {
        published = publish_all(unit, {order("c", "1"), order("a", "2"), order("b", "3"), order("a", "4")});
    });

    ASSERT_EQ(published.size(), 4U);
    for (std::size_t i = 0; i < published.size(); ++i) {
        const std::string id = std::to_string(published[i].id().value());
        EXPECT_THAT(texts(test.bed, "select payload from sluice_message where id = " + id),
                    ElementsAre(std::to_string(i + 1)));
    }
}

TEST(PublishOnDatabase, an_empty_batch_publishes_nothing) {
    Publishing test;

    test.unit([&](db::UnitOfWork& unit) { EXPECT_THAT(publish_all(unit, {}), IsEmpty()); });

    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 0);
}

TEST(PublishOnDatabase, a_queue_that_nobody_declared_fails_the_commit_with_all_of_the_unit) {
    Publishing test;
    test.bed.execute("create table business(id bigint primary key)");
    std::optional<db::ErrorKind> kind;
    std::string text;

    try {
        test.bed.run(test.bed.database->transaction({}, order_and_unknown_queue));
    } catch (const db::Error& e) {
        kind = e.kind();
        text = e.what();
    }

    EXPECT_EQ(kind, db::ErrorKind::constraint);
    EXPECT_THAT(text, HasSubstr("sluice_queue_is_not_declared"));
    EXPECT_EQ(test.bed.number("select count(*) from business"), 0);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 0);
}

TEST(PublishOnDatabase, a_message_whose_queue_number_is_unknown_is_buried_and_stops_no_tick) {
    Publishing test;

    test.bed.execute(
        "insert into sluice_message(queue, \"key\", type, payload) values (1, 'k', 'T', 'before'), (77, 'k', 'T', "
        "'lost'),"
        " (1, 'k', 'T', 'after')");

    EXPECT_THAT(test.delivered(), ElementsAre("before", "after"));
    EXPECT_EQ(test.seen.messages[1].sequence, core::Sequence(2)) << "it took a number";
    EXPECT_EQ(test.seen.messages[1].position, core::Position(2)) << "it took a position";
    EXPECT_EQ(test.bed.number("select count(*) from sluice_dead_letter where queue = 77 and payload = 'lost'"
                              " and reason like '%not in sluice_queue%' and state = 'pending'"),
              1);
}

TEST(PublishOnDatabase, every_field_arrives_as_it_was_given) {
    Publishing test(4);
    Outgoing message = order("kéy", "{\"n\": 1}");
    message.type = "OrderPlaced";
    message.tenant = "tenant-a";
    message.trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    message.headers = {{"origin", "tést"}, {"attempt", ""}};
    const auto before = core::real_clock().system_now();

    test.unit([&](db::UnitOfWork& unit) { publish(unit, message); });

    ASSERT_THAT(test.delivered(), ElementsAre("{\"n\": 1}"));
    const Message& seen = test.seen.messages[0];
    EXPECT_EQ(seen.queue, "orders");
    EXPECT_EQ(seen.key, message.key);
    EXPECT_EQ(seen.type, message.type);
    EXPECT_EQ(seen.tenant, message.tenant);
    EXPECT_EQ(seen.trace, message.trace);
    EXPECT_EQ(seen.headers, message.headers);
    EXPECT_EQ(seen.attempts, 0);
    const auto off = seen.created_at - before;
    EXPECT_LT(std::chrono::abs(off), std::chrono::seconds(60));
    EXPECT_EQ(seen.idempotency_key(),
              "orders/" + std::to_string(seen.lane.value()) + "/" + std::to_string(seen.ledger_epoch.value()) + "/1");
}

TEST(PublishOnDatabase, bytes_that_are_no_text_come_back_unchanged) {
    Publishing test;
    const std::string with_nul("a\0b", 3);
    const std::string no_utf8 = "\xff\xfe\x80";

    test.bed.publish("orders", {{"k", with_nul}, {"k", no_utf8}, {"k", ""}, {"k", "täxt"}});

    EXPECT_THAT(test.delivered(), ElementsAre(with_nul, no_utf8, "", "täxt"));
}

TEST(PublishOnSqlite, a_payload_that_is_text_is_stored_as_text) {
    Publishing test;

    test.bed.publish("orders", {{"k", std::string("a\0b", 3)}, {"k", "\xff\xfe\x80"}, {"k", ""}, {"k", "täxt"}});

    EXPECT_EQ(test.bed.number("select count(*) from sluice_message where typeof(payload) = 'text'"), 2);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message where typeof(payload) = 'blob'"), 2);
}

TEST(PublishOnDatabase, a_payload_at_its_limit_is_taken_and_one_byte_more_is_not) {
    Publishing test;
    PublishLimits limits;
    limits.payload_bytes = 100;
    std::string failure;

    test.unit([&](db::UnitOfWork& unit) {
        failure = failure_text([&] { publish(unit, order("k", std::string(101, 'x')), limits); });
        publish(unit, order("k", std::string(100, 'x')), limits);
    });

    EXPECT_THAT(failure, AllOf(HasSubstr("bad_message"), HasSubstr("101"), HasSubstr("100")));
    EXPECT_THAT(test.delivered(), ElementsAre(std::string(100, 'x')));
}

TEST(PublishOnDatabase, a_unit_publishes_no_more_messages_than_its_limit) {
    Publishing test;
    PublishLimits limits;
    limits.unit_messages = 2;
    std::string single;
    std::string batch;

    test.unit([&](db::UnitOfWork& unit) {
        publish(unit, order("k", "1"), limits);
        batch = failure_text([&] { publish_all(unit, {order("k", "2"), order("k", "3")}, limits); });
        publish(unit, order("k", "2"), limits);
        single = failure_text([&] { publish(unit, order("k", "3"), limits); });
    });

    EXPECT_THAT(batch, HasSubstr("at most 2 messages"));
    EXPECT_THAT(single, HasSubstr("at most 2 messages"));
    EXPECT_THAT(test.delivered(), ElementsAre("1", "2"));
}

TEST(PublishOnDatabase, headers_of_the_outbox_cannot_be_forged) {
    Publishing test;
    Outgoing message = order("k", "1");
    message.headers["sluice-only"] = "audit";
    std::string failure;

    test.unit([&](db::UnitOfWork& unit) { failure = failure_text([&] { publish(unit, message); }); });

    EXPECT_THAT(failure, HasSubstr("sluice-only"));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 0);
}

TEST(PublishOnDatabase, a_key_stays_in_one_lane_and_lanes_are_numbered_without_gaps) {
    Publishing test(8);
    core::Random random(7);
    std::map<std::string, std::vector<std::string>> published;
    for (int round = 0; round < 40; ++round) {
        std::vector<std::pair<std::string, std::string>> unit;
        for (int i = 0; i < 5; ++i) {
            const std::string key = "key-" + std::to_string(static_cast<int>(random.unit() * 13));
            unit.emplace_back(key, std::to_string(round * 10 + i));
            published[key].push_back(unit.back().second);
        }
        test.bed.publish("orders", unit);
    }

    ASSERT_EQ(test.delivered().size(), 200U);
    std::map<std::string, std::set<core::LaneId>> lanes_of;
    std::map<core::LaneId, std::int64_t> last;
    for (const Message& message : test.seen.messages) {
        lanes_of[message.key].insert(message.lane);
        EXPECT_EQ(message.sequence.value(), ++last[message.lane]);
    }
    EXPECT_GT(last.size(), 2U);
    for (const auto& [key, payloads] : published) {
        EXPECT_EQ(lanes_of[key].size(), 1U) << key;
        EXPECT_EQ(test.seen.payloads_of(key), payloads) << key;
    }
}

TEST(PublishOnDatabase, messages_without_a_key_are_spread_over_the_lanes) {
    Publishing test(4);
    std::vector<std::pair<std::string, std::string>> keyless;
    for (int i = 0; i < 64; ++i)
        keyless.emplace_back("", std::to_string(i));

    test.bed.publish("orders", keyless);

    ASSERT_EQ(test.delivered().size(), 64U);
    std::set<core::LaneId> used;
    for (const Message& message : test.seen.messages)
        used.insert(message.lane);
    EXPECT_EQ(used.size(), 4U);
}

struct OrderPlaced {
    std::string article;
    int count = 0;
};
BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (article, count))
struct OrderCancelled {
    std::string article;
};
BOOST_DESCRIBE_STRUCT(OrderCancelled, (), (article))
using OrderEvent = std::variant<OrderPlaced, OrderCancelled>;

std::string article_of(const OrderEvent& event) {
    return std::visit([](const auto& one) { return one.article; }, event);
}

TEST(PublishOnDatabase, a_typed_queue_gives_the_same_event_back) {
    Publishing test;
    const Queue<OrderEvent> orders("orders", lanes(1), article_of);

    test.unit([&](db::UnitOfWork& unit) {
        orders.publish(unit, OrderPlaced{"chair", 3}, {{"origin", "test"}});
        orders.publish(unit, OrderCancelled{"table"});
    });

    ASSERT_EQ(test.delivered().size(), 2U);
    const auto placed = orders.decode(test.seen.messages[0]);
    const auto cancelled = orders.decode(test.seen.messages[1]);
    ASSERT_TRUE(placed && cancelled);
    EXPECT_EQ(std::get<OrderPlaced>(*placed).count, 3);
    EXPECT_EQ(std::get<OrderCancelled>(*cancelled).article, "table");
    EXPECT_EQ(test.seen.messages[0].key, "chair");
    EXPECT_EQ(test.seen.messages[0].headers.at("origin"), "test");
}

}  // namespace
}  // namespace sluice::outbox
