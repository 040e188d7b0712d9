#include "sluice/outbox/internal/append.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/testing/test_database.hpp"

namespace sluice::outbox {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

Outgoing message(const std::string& queue) {
    Outgoing made;
    made.queue = queue;
    made.type = "Noted";
    return made;
}

class Append : public ::testing::TestWithParam<db::Dialect> {
protected:
    static std::vector<db::Statement> append(const std::vector<std::string>& queues, const QueueNumbers& known) {
        std::vector<Outgoing> messages;
        for (const std::string& queue : queues)
            messages.push_back(message(queue));
        return append_all(std::move(messages), GetParam(), known);
    }
};

TEST_P(Append, looks_for_a_queue_that_is_not_known_and_asks_for_its_number) {
    const std::vector<db::Statement> statements = append({"orders"}, QueueNumbers());
    ASSERT_THAT(statements, SizeIs(1));
    EXPECT_THAT(statements[0].sql, HasSubstr("select number from sluice_queue"));
    EXPECT_THAT(statements[0].sql, EndsWith("returning id, queue"));
    EXPECT_EQ(statements[0].values[0], db::Value("orders"));
}

TEST_P(Append, sends_a_known_number_and_looks_for_nothing) {
    QueueNumbers known;
    known.learn("orders", 7);
    const std::vector<db::Statement> statements = append({"orders"}, known);
    ASSERT_THAT(statements, SizeIs(1));
    EXPECT_THAT(statements[0].sql, Not(HasSubstr("sluice_queue")));
    EXPECT_EQ(statements[0].values[0], db::Value(7));
}

INSTANTIATE_TEST_SUITE_P(For, Append,
                         ::testing::Values(db::Dialect::sqlite, db::Dialect::postgres, db::Dialect::mariadb),
                         [](const auto& dialect) { return std::string(testing::name_of(dialect.param)); });

TEST(AppendRows, look_for_every_queue_of_a_statement_if_one_of_them_is_not_known) {
    QueueNumbers known;
    known.learn("orders", 7);
    const auto four = [&](const std::string& last) {
        std::vector<Outgoing> messages;
        for (const std::string& queue : {std::string("orders"), std::string("orders"), std::string("orders"), last})
            messages.push_back(message(queue));
        return append_all(std::move(messages), db::Dialect::mariadb, known);
    };
    const std::vector<db::Statement> all_known = four("orders");
    ASSERT_THAT(all_known, SizeIs(1));
    EXPECT_THAT(all_known[0].sql, Not(HasSubstr("sluice_queue")));
    EXPECT_EQ(all_known[0].values[21], db::Value(7));
    const std::vector<db::Statement> mixed = four("stock");
    ASSERT_THAT(mixed, SizeIs(1));
    EXPECT_THAT(mixed[0].sql, EndsWith("returning id, queue"));
    EXPECT_EQ(mixed[0].values[0], db::Value("orders"));
    EXPECT_EQ(mixed[0].values[21], db::Value("stock"));
}

TEST(Appended, tells_ids_and_numbers_in_the_order_of_the_messages) {
    const auto columns = std::make_shared<const db::Columns>(db::Columns{"id", "queue"});
    const auto ids = std::make_shared<const db::Columns>(db::Columns{"id"});
    std::vector<db::Result> results(3);
    results[0].columns = columns;
    results[0].rows.emplace_back(columns, std::vector<db::Value>{10, 1});
    results[0].rows.emplace_back(columns, std::vector<db::Value>{11, 2});
    results[1].last_insert_id = 12;
    results[2].columns = ids;
    results[2].rows.emplace_back(ids, std::vector<db::Value>{13});

    const std::vector<Appended> all = appended(results);

    ASSERT_THAT(all, SizeIs(4));
    EXPECT_EQ(all[0].id, 10);
    EXPECT_EQ(all[1].queue_number, 2);
    EXPECT_EQ(all[2].id, 12);
    EXPECT_EQ(all[2].queue_number, std::nullopt);
    EXPECT_EQ(all[3].id, 13);
}

}  // namespace
}  // namespace sluice::outbox
