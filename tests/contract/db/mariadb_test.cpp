// What only MariaDB does, and what the driver makes of it. docs/mariadb.md, "Units".
#include <fmt/format.h>

#include "server_world.hpp"
#include "sluice/db/mariadb/database.hpp"

namespace sluice::contract {
namespace {

using std::chrono::milliseconds;

std::vector<const ServerKind*> mariadb_alone() {
    std::vector<const ServerKind*> kinds = server_kinds();
    std::erase_if(kinds, [](const ServerKind* kind) { return kind->prefix != "mariadb"; });
    return kinds;
}

class DbMariadb : public ServerContract {
protected:
    db::DataSource& open_with(db::mariadb::Settings settings) {
        settings.name = "sandbox";
        settings.dsn = address();
        return add(db::mariadb::Database::open(settings, {}, metrics()));
    }
    static std::string text_of_failure(const std::function<void()>& act) {
        try {
            act();
        } catch (const db::Error& error) {
            return error.what();
        }
        return "none";
    }
};

TEST_P(DbMariadb, a_lock_that_is_not_had_in_time_undoes_the_whole_unit) {
    execute("insert into item values (1, 'a')");
    const std::string ended = outcome([this](db::UnitOfWork& holder) -> Task<void> {
        co_await holder.execute("update item set name = 'held' where id = 1");
        std::string swallowed;
        std::string late;
        const db::TransactionOptions options;
        const auto body = [&](db::UnitOfWork& unit) -> Task<void> {
            co_await unit.execute(kind().set_lock_limit);
            co_await insert_item(unit, 5);
            const auto update = [](db::UnitOfWork& same) -> Task<void> {
                co_await same.execute("update item set name = 'rival' where id = 1");
            };
            co_await DbContract::note(swallowed, update(unit));
            co_await insert_item(unit, 6);
        };
        co_await DbContract::note(late, source().transaction(options, body));
        EXPECT_EQ(swallowed, "serialization");
        EXPECT_EQ(late, "serialization");
    });
    EXPECT_EQ(ended, "ok");
    EXPECT_EQ(number("select count(*) from item"), 1);
}

TEST_P(DbMariadb, ddl_in_a_unit_is_refused_and_commits_nothing) {
    std::string text;
    const std::string ended = outcome([&text](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        try {
            co_await unit.execute("create table other(id bigint)");
        } catch (const db::Error& error) {
            text = error.what();
            throw;
        }
    });
    EXPECT_EQ(ended, "query");
    EXPECT_NE(text.find("MariaDB would commit the unit first"), std::string::npos) << text;
    EXPECT_EQ(number("select count(*) from item"), 0);
}

TEST_P(DbMariadb, a_procedure_that_commits_is_told) {
    execute("create procedure sneak() commit");
    std::string text;
    const std::string ended = outcome([&text](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        try {
            co_await unit.execute("call sneak()");
        } catch (const db::Error& error) {
            text = error.what();
            throw;
        }
    });
    EXPECT_EQ(ended, "query");
    EXPECT_NE(text.find("what came before it is committed"), std::string::npos) << text;
    EXPECT_EQ(number("select count(*) from item"), 1);
}

TEST_P(DbMariadb, a_procedure_answers_its_first_result_and_the_connection_goes_on) {
    execute("create procedure two() begin select 1 as a; select 2 as b; end");
    EXPECT_EQ(number("call two()"), 1);
    EXPECT_EQ(number("select 3"), 3);
}

TEST_P(DbMariadb, what_is_larger_than_a_packet_is_refused_before_it_is_sent) {
    const std::int64_t limit = number("select @@max_allowed_packet");
    const std::int64_t before = number(kind().own_id);
    const std::string large(static_cast<std::size_t>(limit), 'x');
    const auto insert = [](db::DataSource& target, std::string value) -> Task<void> {
        const auto connection = co_await target.acquire(db::AccessIntent::write);
        co_await connection->execute("insert into item values (1, $1)", std::move(value));
    };
    const std::string text = text_of_failure([&] { wait(insert(source(), large)); });
    EXPECT_TRUE(text.starts_with("sandbox: query: ")) << text;
    EXPECT_NE(text.find(std::to_string(limit)), std::string::npos) << text;
    EXPECT_NE(text.find("max_allowed_packet"), std::string::npos) << text;
    EXPECT_EQ(number(kind().own_id), before);
}

TEST_P(DbMariadb, a_bulk_insert_takes_columns_of_changing_kinds_and_nulls) {
    execute("create table mixed(id bigint primary key, t longtext, d double, at datetime(6))");
    db::BulkInsert rows{"mixed", {"id", "t", "d", "at"}, {}};
    const db::Timestamp now{std::chrono::microseconds{1'767'322'845'123'456}};
    rows.rows = {{1, db::null, 1.5, db::null},
                 {2, "two", db::null, now},
                 {3, 3, 3.5, now},
                 {4, "four", 4, db::null},
                 {5, db::null, db::null, db::null}};
    const auto insert = [](db::DataSource& target, db::BulkInsert bulk) -> Task<std::uint64_t> {
        const auto connection = co_await target.acquire(db::AccessIntent::write);
        co_return co_await connection->bulk(std::move(bulk));
    };
    EXPECT_EQ(wait(insert(source(), rows)), 5U);
    EXPECT_EQ(number("select count(*) from mixed where t is null"), 2);
    EXPECT_EQ(number("select count(*) from mixed where t in ('two', '3', 'four')"), 3);
    EXPECT_EQ(number("select count(*) from mixed where at = '2026-01-02 03:00:45.123456'"), 2);
    EXPECT_EQ(number("select count(*) from mixed where d in (1.5, 3.5, 4)"), 3);
}

TEST_P(DbMariadb, more_statements_than_the_cache_holds_run_as_well) {
    db::mariadb::Settings settings;
    settings.statement_cache = 2;
    db::DataSource& small = open_with(settings);
    const auto query_all = [](db::DataSource& target) -> Task<std::int64_t> {
        const auto connection = co_await target.acquire(db::AccessIntent::read);
        std::int64_t sum = 0;
        for (int i = 0; i < 20; ++i) {
            const auto row = co_await connection->query_one(fmt::format("select {} + $1", i % 5), 1);
            sum += row->get<std::int64_t>(0);
        }
        const auto closed = co_await connection->query_one("show session status like 'Com_stmt_close'");
        EXPECT_GE(std::stoi(closed->get<std::string>(1)), 17);
        co_return sum;
    };
    EXPECT_EQ(wait(query_all(small)), 60);
}

TEST_P(DbMariadb, an_update_counts_the_rows_it_found) {
    execute("insert into item values (1, 'a'), (2, 'a')");
    const auto update = [](db::DataSource& target) -> Task<std::uint64_t> {
        const auto connection = co_await target.acquire(db::AccessIntent::write);
        co_return co_await connection->execute("update item set name = 'a'");
    };
    EXPECT_EQ(wait(update(source())), 2U);
}

/// Of several rows the first.
TEST_P(DbMariadb, an_insert_tells_the_id_that_the_server_gave) {
    execute("create table numbered(id bigint auto_increment primary key, name text)");
    const auto insert = [](db::DataSource& target, std::string sql) -> Task<std::int64_t> {
        const auto connection = co_await target.acquire(db::AccessIntent::write);
        const db::Result result = co_await connection->query(std::move(sql));
        co_return result.last_insert_id;
    };
    EXPECT_EQ(wait(insert(source(), "insert into numbered(name) values ('a')")), 1);
    EXPECT_EQ(wait(insert(source(), "insert into numbered(name) values ('b'), ('c')")), 2);
    EXPECT_EQ(wait(insert(source(), "insert into numbered(name) select name from numbered where id = 1")), 4);
    EXPECT_EQ(wait(insert(source(), "update numbered set name = 'd' where id = 1")), 0);
}

TEST_P(DbMariadb, statements_mean_what_they_mean_on_the_other_databases) {
    EXPECT_EQ(number(R"(select char_length('\') + ('a' || 'b' = 'ab'))"), 2);
    EXPECT_EQ(number("select count(\"id\") from item"), 0);
    execute("create table pair(a bigint, b bigint)");
    execute("insert into pair values (1, 2)");
    execute("update pair set a = b, b = a");
    EXPECT_EQ(number("select 10 * a + b from pair"), 21);
    EXPECT_EQ(number("select @@session.time_zone = '+00:00'"), 1);
}

/// Statements cut off at whatever moment their deadline falls in; the connection must then answer what it is asked.
TEST_P(DbMariadb, a_connection_answers_right_after_statements_that_were_stopped_anywhere) {
    db::mariadb::Settings settings;
    settings.pool.max = 1;
    db::DataSource& narrow = open_with(settings);
    int stopped = 0;
    for (int i = 0; i < 60; ++i) {
        db::TransactionOptions options;
        options.deadline = milliseconds(1 + i % 7);
        const auto sleep = [i](db::UnitOfWork& unit) -> Task<void> {
            const double seconds = i % 2 == 0 ? 0.003 : 0.3;
            co_await unit.query("select sleep($1)", seconds);
        };
        stopped += outcome_on(narrow, sleep, options) == "ok" ? 0 : 1;
        const auto ask = [i](db::UnitOfWork& unit) -> Task<void> {
            const auto row = co_await unit.query_one("select $1 as answer", i);
            EXPECT_EQ(row->get<std::int64_t>("answer"), i);
        };
        ASSERT_EQ(outcome_on(narrow, ask), "ok") << i;
    }
    EXPECT_GE(stopped, 30);
}

/// The cipher of a connection by `keywords`, or the kind of error.
std::string cipher_with(DbMariadb& test, const std::string& keywords) {
    db::DataSource& source = test.open(test.address() + "?" + keywords);
    std::string cipher;
    const std::string ended = test.outcome_on(source, [&cipher](db::UnitOfWork& unit) -> Task<void> {
        const auto row = co_await unit.query_one("show session status like 'Ssl_cipher'");
        cipher = row->get<std::string>(1);
        // More than one record of TLS, both ways.
        const std::string large(1 << 20, 'x');
        const auto back = co_await unit.query_one("select $1 as same", large);
        EXPECT_TRUE(back->get<std::string>("same") == large);
    });
    return ended == "ok" ? cipher : ended;
}

TEST_P(DbMariadb, tls_is_asked_for_by_the_string_and_a_certificate_of_another_authority_is_refused) {
    const std::string ours = "&sslrootcert=" + server_address("mariadb.certificate");
    EXPECT_EQ(cipher_with(*this, "sslmode=disable"), "");
    EXPECT_NE(cipher_with(*this, "sslmode=require").find("TLS"), std::string::npos);
    EXPECT_NE(cipher_with(*this, "sslmode=verify-full" + ours).find("TLS"), std::string::npos);
    EXPECT_EQ(cipher_with(*this, "sslmode=verify-full"), "connection");
}

TEST_P(DbMariadb, a_deadline_stops_a_statement_under_tls_and_keeps_the_connection) {
    db::DataSource& source = open(address() + "?sslmode=require");
    db::TransactionOptions options;
    options.deadline = milliseconds(500);
    const auto sleep = [this](db::UnitOfWork& unit) -> Task<void> { co_await unit.query(kind().sleep); };
    EXPECT_EQ(outcome_on(source, [](db::UnitOfWork& unit) { return insert_item(unit, 1); }), "ok");
    EXPECT_EQ(outcome_on(source, sleep, options), "timeout");
    EXPECT_EQ(number(kind().sleepers), 0);
    EXPECT_EQ(outcome_on(source, [](db::UnitOfWork& unit) { return insert_item(unit, 2); }), "ok");
}

INSTANTIATE_TEST_SUITE_P(Db, DbMariadb, ::testing::ValuesIn(mariadb_alone()),
                         [](const auto& server) { return server.param->prefix; });

}  // namespace
}  // namespace sluice::contract
