// What producers write and what the log makes of it, on a real file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/describe/class.hpp>

#include "sluice/core/random.hpp"
#include "sluice/db/error.hpp"
#include "sluice/outbox/internal/test_handlers.hpp"

namespace sluice::outbox {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// An outbox with one queue whose messages are remembered.
struct Publishing {
    explicit Publishing(std::uint16_t count = 1) {
        auto builder = bed.builder();
        builder.profile(runtime::Profile::low_latency());
        builder.queue("orders", lanes(count)).transactional("orders", "audit", seen.handler());
        bed.start(builder);
    }
    /// One unit of work around `body`.
    template <class Body>
    void unit(Body body) {
        const auto call = [&body](db::UnitOfWork& unit) { return run_in(unit, body); };
        bed.run(bed.database->transaction({}, call));
    }
    std::vector<std::string> delivered() {
        EXPECT_TRUE(bed.drained());
        return seen.payloads();
    }

    Testbed bed;
    Seen seen;

private:
    template <class Body>
    static db::Task<void> run_in(db::UnitOfWork& unit, Body& body) {
        body(unit);
        co_return;
    }
};

Outgoing order(std::string key, std::string payload) {
    return Testbed::outgoing("orders", std::move(key), std::move(payload));
}

TEST(PublishOnFile, id_is_known_once_the_unit_committed) {
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

TEST(PublishOnFile, a_unit_that_fails_leaves_no_message_and_no_id) {
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

TEST(PublishOnFile, a_savepoint_that_is_rolled_back_takes_its_messages_with_it) {
    Publishing test;

    const auto body = [](db::UnitOfWork& unit) { return nested(unit, "outer", "inner", true, false); };
    test.bed.run(test.bed.database->transaction({}, body));

    EXPECT_THAT(test.delivered(), ElementsAre("outer before", "outer after"));
}

TEST(PublishOnFile, a_savepoint_that_is_released_keeps_its_messages_in_their_place) {
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

TEST(PublishOnFile, a_released_savepoint_is_taken_back_with_the_one_around_it) {
    Publishing test;

    test.bed.run(test.bed.database->transaction({}, twice_nested));

    EXPECT_THAT(test.delivered(), ElementsAre("first", "last"));
}

TEST(PublishOnFile, one_bad_message_rejects_the_batch_and_harms_nothing_else_of_the_unit) {
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

TEST(PublishOnFile, a_batch_answers_ids_in_its_own_order) {
    Publishing test(4);
    std::vector<Published> published;

    test.unit([&](db::UnitOfWork& unit) {
        published = publish_all(unit, {order("c", "1"), order("a", "2"), order("b", "3"), order("a", "4")});
    });

    ASSERT_EQ(published.size(), 4U);
    for (std::size_t i = 0; i < published.size(); ++i) {
        const std::string id = std::to_string(published[i].id().value());
        EXPECT_EQ(test.bed.number("select payload + 0 from sluice_message where id = " + id),
                  static_cast<std::int64_t>(i) + 1);
    }
}

TEST(PublishOnFile, an_empty_batch_publishes_nothing) {
    Publishing test;

    test.unit([&](db::UnitOfWork& unit) { EXPECT_THAT(publish_all(unit, {}), IsEmpty()); });

    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 0);
}

db::Task<void> order_and_unknown_queue(db::UnitOfWork& unit) {
    co_await unit.execute("insert into business(id) values (1)");
    publish(unit, Testbed::outgoing("nowhere", "k", "1"));
    publish(unit, order("k", "2"));
}

TEST(PublishOnFile, a_queue_that_nobody_declared_fails_the_commit_with_all_of_the_unit) {
    Publishing test;
    test.bed.execute("create table business(id integer primary key)");
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

TEST(PublishOnFile, a_message_whose_queue_number_is_unknown_is_buried_and_stops_no_tick) {
    Publishing test;

    test.bed.execute(
        "insert into sluice_message(queue, key, type, payload) values (1, 'k', 'T', 'before'), (77, 'k', 'T', 'lost'),"
        " (1, 'k', 'T', 'after')");

    EXPECT_THAT(test.delivered(), ElementsAre("before", "after"));
    EXPECT_EQ(test.seen.messages[1].sequence, core::Sequence(2)) << "it took a number";
    EXPECT_EQ(test.seen.messages[1].position, core::Position(2)) << "it took a position";
    EXPECT_EQ(test.bed.number("select count(*) from sluice_dead_letter where queue = 77 and payload = 'lost'"
                              " and reason like '%not in sluice_queue%' and state = 'pending'"),
              1);
}

TEST(PublishOnFile, every_field_arrives_as_it_was_given) {
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

TEST(PublishOnFile, bytes_that_are_no_text_come_back_unchanged) {
    Publishing test;
    const std::string with_nul("a\0b", 3);
    const std::string no_utf8 = "\xff\xfe\x80";

    test.bed.publish("orders", {{"k", with_nul}, {"k", no_utf8}, {"k", ""}, {"k", "täxt"}});

    EXPECT_THAT(test.delivered(), ElementsAre(with_nul, no_utf8, "", "täxt"));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message where typeof(payload) = 'text'"), 2);
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message where typeof(payload) = 'blob'"), 2);
}

TEST(PublishOnFile, a_payload_at_its_limit_is_taken_and_one_byte_more_is_not) {
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

TEST(PublishOnFile, a_unit_publishes_no_more_messages_than_its_limit) {
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

TEST(PublishOnFile, headers_of_the_outbox_cannot_be_forged) {
    Publishing test;
    Outgoing message = order("k", "1");
    message.headers["sluice-only"] = "audit";
    std::string failure;

    test.unit([&](db::UnitOfWork& unit) { failure = failure_text([&] { publish(unit, message); }); });

    EXPECT_THAT(failure, HasSubstr("sluice-only"));
    EXPECT_EQ(test.bed.number("select count(*) from sluice_message"), 0);
}

TEST(PublishOnFile, a_key_stays_in_one_lane_and_lanes_are_numbered_without_gaps) {
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

TEST(PublishOnFile, messages_without_a_key_are_spread_over_the_lanes) {
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

TEST(PublishOnFile, rows_of_another_connection_are_found_and_numbered) {
    Publishing test;
    const auto other = test.bed.open();  // no outbox knows of its units

    test.bed.run(Testbed::execute_on(
        *other, "insert into sluice_message(queue, key, type, payload) values (1, 'k', 'Noted', 'from the shell')"));

    EXPECT_TRUE(Watch(test.bed).until([&] { return !test.seen.messages.empty(); }));
    EXPECT_THAT(test.delivered(), ElementsAre("from the shell"));
}

TEST(PublishOnFile, a_row_of_another_connection_is_numbered_before_what_follows_it) {
    Publishing test;
    const auto other = test.bed.open();

    test.bed.run(Testbed::execute_on(
        *other, "insert into sluice_message(queue, key, type, payload) values (1, 'k', 'Noted', 'first')"));
    test.bed.publish("orders", {{"k", "second"}});

    EXPECT_THAT(test.delivered(), ElementsAre("first", "second"));
}

db::Task<void> publish_many(Testbed& bed, std::string key, int count) {
    for (int i = 0; i < count; ++i) {
        std::vector<std::pair<std::string, std::string>> one{{key, std::to_string(i)}};
        const auto body = [&one](db::UnitOfWork& unit) { return Testbed::publish_in(unit, "orders", one); };
        co_await bed.database->transaction({}, body);
    }
}

db::Task<void> publish_at_once(Testbed& bed, int producers, int count) {
    runtime::TaskScope scope(bed.shard, core::Logger());
    for (int i = 0; i < producers; ++i)
        scope.spawn("producer", publish_many(bed, "key-" + std::to_string(i), count));
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

TEST(PublishOnFile, units_that_commit_together_share_a_tick) {
    Publishing test(4);

    test.bed.run(publish_at_once(test.bed, 16, 20));

    ASSERT_EQ(test.delivered().size(), 320U);
    for (int i = 0; i < 16; ++i) {
        const std::vector<std::string> payloads = test.seen.payloads_of("key-" + std::to_string(i));
        ASSERT_EQ(payloads.size(), 20U);
        for (int n = 0; n < 20; ++n)
            EXPECT_EQ(payloads[static_cast<std::size_t>(n)], std::to_string(n));
    }
    EXPECT_LT(test.bed.number("select count(*) from sluice_tick"), 320) << "every unit had a tick of its own";
    EXPECT_EQ(test.bed.number("select sum(messages) from sluice_tick"), 320);
    EXPECT_EQ(test.bed.number("select max(first_position + messages) from sluice_tick"), 321);
}

db::Task<void> conflict_beside(Testbed& bed) {
    const auto bad = [](db::UnitOfWork& unit) { return order_and_unknown_queue(unit); };
    runtime::TaskScope scope(bed.shard, core::Logger());
    for (int i = 0; i < 8; ++i)
        scope.spawn("producer", publish_many(bed, "key-" + std::to_string(i), 10));
    std::size_t failures = 0;
    for (int i = 0; i < 20; ++i) {
        try {
            co_await bed.database->transaction({}, bad);
        } catch (const db::Error&) {
            ++failures;
        }
    }
    co_await scope.join();
    EXPECT_EQ(failures, 20U);
    EXPECT_EQ(scope.failed(), 0U);
}

TEST(PublishOnFile, units_that_fail_beside_others_leave_no_gap_in_any_lane) {
    Publishing test(2);
    test.bed.execute("create table business(id integer primary key)");

    test.bed.run(conflict_beside(test.bed));

    ASSERT_EQ(test.delivered().size(), 80U);
    std::map<core::LaneId, std::int64_t> last;
    for (const Message& message : test.seen.messages)
        EXPECT_EQ(message.sequence.value(), ++last[message.lane]);
    EXPECT_EQ(test.bed.number("select sum(messages) from sluice_tick"), 80);
    EXPECT_EQ(test.bed.number("select count(*) from business"), 0);
}

/// Starts an outbox with these settings and publishes 25 messages of 100 bytes in one unit.
void publish_in_small_ticks(Testbed& bed, Seen& seen, Settings settings) {
    settings.processors = 2;
    auto builder = bed.builder();
    builder.profile(runtime::Profile::low_latency()).settings(settings);
    builder.queue("orders", lanes(2)).transactional("orders", "audit", seen.handler());
    bed.start(builder);
    std::vector<std::pair<std::string, std::string>> unit;
    for (int i = 0; i < 25; ++i)
        unit.emplace_back(i % 2 == 0 ? "a" : "b", std::to_string(100 + i) + std::string(97, '.'));
    bed.publish("orders", unit);
    ASSERT_TRUE(Watch(bed).until([&] { return seen.messages.size() >= 25; }));
    ASSERT_TRUE(bed.drained());
    ASSERT_EQ(seen.messages.size(), 25U);
    for (const char* const key : {"a", "b"}) {
        const std::vector<std::string> payloads = seen.payloads_of(key);
        EXPECT_TRUE(std::ranges::is_sorted(payloads));
    }
    EXPECT_EQ(bed.number("select max(first_position + messages) from sluice_tick"), 26);
}

TEST(PublishOnFile, a_unit_larger_than_a_tick_is_numbered_in_several) {
    Testbed bed;
    Seen seen;
    Settings settings;
    settings.tick_messages = 10;

    publish_in_small_ticks(bed, seen, settings);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 3);
    EXPECT_EQ(bed.number("select max(messages) from sluice_tick"), 10);
}

TEST(PublishOnFile, what_exceeds_the_hand_over_in_memory_is_read_back) {
    Testbed bed;
    Seen seen;
    Settings settings;
    settings.tick_bytes = 300;
    settings.backlog_chunk = 4;

    publish_in_small_ticks(bed, seen, settings);

    EXPECT_EQ(bed.number("select count(*) from sluice_tick"), 1);
}

TEST(PublishOnFile, what_was_committed_while_nobody_ran_is_delivered_at_the_start) {
    Publishing test;
    test.bed.stop();
    test.bed.publish("orders", {{"k", "1"}});
    test.bed.publish("orders", {{"k", "2"}});
    EXPECT_EQ(test.bed.number("select count(*) from sluice_tick"), 0);

    auto builder = test.bed.builder();
    builder.queue("orders", lanes(1)).transactional("orders", "audit", test.seen.handler());
    test.bed.start(builder);

    EXPECT_THAT(test.delivered(), ElementsAre("1", "2"));
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

TEST(PublishOnFile, a_typed_queue_gives_the_same_event_back) {
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
