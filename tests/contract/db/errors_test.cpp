// Real errors of real servers end in the kinds that docs/errors.md promises.
#include "driver.hpp"

namespace sluice::contract {
namespace {

class DbErrors : public DbContract {
protected:
    void SetUp() override {
        DbContract::SetUp();
        make_items();
        execute(
            "create table child(id bigint primary key, item bigint not null, age integer not null check (age > 0), "
            "foreign key (item) references item(id))");
        execute("insert into item(id, name) values (1, 'a')");
    }
    std::string outcome_of(const std::string& sql) {
        return outcome([sql](db::UnitOfWork& unit) -> Task<void> { co_await unit.execute(sql); });
    }
};

TEST_P(DbErrors, a_unique_key_is_a_conflict) {
    EXPECT_EQ(outcome_of("insert into item(id) values (1)"), "conflict");
}

TEST_P(DbErrors, foreign_keys_checks_and_missing_values_are_constraints) {
    EXPECT_EQ(outcome_of("insert into child values (1, 99, 1)"), "constraint");
    EXPECT_EQ(outcome_of("insert into child values (1, 1, 0)"), "constraint");
    EXPECT_EQ(outcome_of("insert into child(id, age) values (1, 1)"), "constraint");
}

TEST_P(DbErrors, syntax_and_unknown_names_are_query_errors) {
    EXPECT_EQ(outcome_of("selct 1"), "query");
    EXPECT_EQ(outcome_of("select * from nowhere"), "query");
    EXPECT_EQ(outcome_of("select nothing from item"), "query");
    EXPECT_EQ(outcome_of("select $1"), "query") << "a placeholder without a value";
}

TEST_P(DbErrors, writing_in_a_read_only_unit_is_refused) {
    db::TransactionOptions read_only;
    read_only.read_only = true;
    const std::string ended = outcome([](db::UnitOfWork& unit) { return insert_item(unit, 2); }, read_only);
    EXPECT_EQ(ended, "read_only");
    EXPECT_EQ(items(), "1");
}

TEST_P(DbErrors, name_the_source_and_the_statement_but_no_value) {
    const std::string secret = "4711-secret";
    std::string text;
    const std::string ended = outcome([&](db::UnitOfWork& unit) -> Task<void> {
        try {
            co_await unit.execute("insert into item(id, name) values (1, $1)", secret);
        } catch (const db::Error& error) {
            text = error.what();
            throw;
        }
    });
    EXPECT_EQ(ended, "conflict");
    EXPECT_TRUE(text.starts_with("sandbox: conflict: ")) << text;
    EXPECT_NE(text.find("insert into item(id, name) values (?, $1)"), std::string::npos) << text;
    EXPECT_EQ(text.find(secret), std::string::npos) << text;
}

TEST_P(DbErrors, an_error_leaves_the_source_usable) {
    EXPECT_EQ(outcome_of("selct 1"), "query");
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return insert_item(unit, 2); }), "ok");
    EXPECT_EQ(items(), "1 2");
}

TEST_P(DbErrors, a_closed_source_refuses_work) {
    wait(source().close());
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return insert_item(unit, 2); }), "connection");
}

INSTANTIATE_TEST_SUITE_P(Db, DbErrors, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
