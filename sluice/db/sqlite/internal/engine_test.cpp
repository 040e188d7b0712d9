#include "sluice/db/sqlite/internal/engine.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/db/internal/temp_folder.hpp"

namespace sluice::db::sqlite {
namespace {

using namespace std::chrono_literals;

struct EngineTest : ::testing::Test {
    EngineOptions options(OpenMode mode = OpenMode::create_and_write) const {
        EngineOptions made;
        made.source = "shop";
        made.path = folder.file("shop.sqlite3");
        made.mode = mode;
        made.busy_timeout = 50ms;
        return made;
    }
    Result run(std::string sql, std::vector<Value> values = {}) {
        Statement made;
        made.sql = std::move(sql);
        made.values = std::move(values);
        return engine->run(made);
    }
    std::string error_of(const std::string& sql, std::vector<Value> values = {}) {
        try {
            run(sql, std::move(values));
        } catch (const Error& error) {
            return error.what();
        }
        return "nothing was thrown";
    }

    db::internal::TempFolder folder;
    std::unique_ptr<Engine> engine = std::make_unique<Engine>(options());
};

TEST_F(EngineTest, is_in_wal_mode_with_foreign_keys_and_full_synchronisation) {
    EXPECT_EQ(run("pragma journal_mode").rows[0].get<std::string>(0), "wal");
    EXPECT_EQ(run("pragma synchronous").rows[0].get<std::int64_t>(0), 2);
    EXPECT_EQ(run("pragma foreign_keys").rows[0].get<std::int64_t>(0), 1);
    EngineOptions normal = options();
    normal.synchronous = Synchronous::normal;
    engine = std::make_unique<Engine>(normal);
    EXPECT_EQ(run("pragma synchronous").rows[0].get<std::int64_t>(0), 1);
}

TEST_F(EngineTest, answers_rows_effects_and_the_new_rows_id) {
    EXPECT_EQ(run("create table t(id integer primary key, a)").affected, 0U);
    const Result inserted = run("insert into t(a) values ($1), ($2)", {1, "two"});
    EXPECT_EQ(inserted.affected, 2U);
    EXPECT_EQ(inserted.last_insert_id, 2);
    const Result updated = run("update t set a = a where id = $1", {1});
    EXPECT_EQ(updated.affected, 1U);
    EXPECT_EQ(updated.last_insert_id, 0);
    EXPECT_EQ(run("create table u(a)").affected, 0U) << "not the update's";
    const Result rows = run("select id, a from t order by id");
    EXPECT_EQ(*rows.columns, (Columns{"id", "a"}));
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows.rows[1].get<std::string>("a"), "two");
    EXPECT_EQ(run("insert into t(a) values (7) returning id, a").rows.at(0).get<std::int64_t>("a"), 7);
}

TEST_F(EngineTest, sees_new_columns_after_the_schema_changed) {
    run("create table t(a)");
    run("insert into t values (1)");
    EXPECT_EQ(run("select * from t").columns->size(), 1U);
    run("alter table t add column b default 5");
    const Result rows = run("select * from t");
    EXPECT_EQ(*rows.columns, (Columns{"a", "b"}));
    EXPECT_EQ(rows.rows[0].get<std::int64_t>("b"), 5);
}

TEST_F(EngineTest, binds_a_placeholder_as_often_as_it_stands_there) {
    EXPECT_EQ(run("select $2 || $1 || $2 as x", {"a", "b"}).rows[0].get<std::string>("x"), "bab");
    EXPECT_EQ(run("select $2 as x", {"unused", "b"}).rows[0].get<std::string>("x"), "b");
}

TEST_F(EngineTest, the_number_of_values_must_be_that_of_the_placeholders) {
    EXPECT_EQ(error_of("select $1, $2", {1}),
              "shop: query: the statement has 2 placeholders and 1 values in `select $1, $2`");
    EXPECT_EQ(error_of("select 1", {1}), "shop: query: the statement has 0 placeholders and 1 values in `select ?`");
}

TEST_F(EngineTest, text_that_is_no_utf8_or_has_nul_is_refused_before_any_sql) {
    run("create table t(a)");
    for (const Value& value : {Value("\xff"), Value(std::string("a\0b", 3)), Value(Json{"\xc0\x80"}),
                               Value(std::vector<std::string>{"ok", "\xed\xa0\x80"})}) {
        EXPECT_EQ(error_of("insert into t values ($1)", {value}),
                  "shop: query: text must be UTF-8 without NUL in `insert into t values ($1)`");
    }
    EXPECT_TRUE(run("select * from t").empty());
}

TEST_F(EngineTest, a_real_that_is_no_number_is_refused_instead_of_becoming_null) {
    EXPECT_EQ(error_of("select $1", {std::numeric_limits<double>::quiet_NaN()}),
              "shop: query: a real that is not a number cannot be stored in `select $1`");
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(run("select $1", {infinity}).rows[0].get<double>(0), infinity);
}

TEST_F(EngineTest, takes_one_statement_at_a_time) {
    EXPECT_EQ(run("select 1; -- and no more\n ;").size(), 1U);
    EXPECT_NE(error_of("select 1; select 2").find("one statement at a time"), std::string::npos);
    EXPECT_NE(error_of(" -- nothing").find("the statement is empty"), std::string::npos);
    EXPECT_NE(error_of("").find("the statement is empty"), std::string::npos);
    EXPECT_NE(error_of(std::string("select 1\0", 9)).find("must not contain NUL"), std::string::npos);
}

TEST_F(EngineTest, refuses_what_would_harm_others_on_the_connection) {
    for (const char* sql : {"begin", "commit", "rollback", "savepoint a", "release sluice_unit",
                            "rollback to sluice_unit", "attach 'x' as y", "pragma journal_mode = delete",
                            "pragma synchronous = off", "PRAGMA Foreign_Keys = off", "pragma query_only = on"}) {
        EXPECT_TRUE(error_of(sql).starts_with("shop: query: ")) << sql << ": " << error_of(sql);
    }
    run("pragma user_version = 7");
    EXPECT_EQ(run("pragma user_version").rows[0].get<std::int64_t>(0), 7);
    run("create table t(a)");
    EXPECT_EQ(run("select name from pragma_table_info('t')").size(), 1U);
}

TEST_F(EngineTest, still_runs_its_own_transactions_after_a_schema_change) {
    for (int i = 0; i < 3; ++i) {
        engine->control(Control::begin_immediate);
        engine->control(Control::savepoint);
        run(fmt::format("create table t{}(a)", i));
        engine->control(Control::release);
        engine->control(Control::commit);
    }
    EXPECT_EQ(run("select name from sqlite_schema").size(), 3U);
}

TEST_F(EngineTest, bulk_inserts_all_rows_or_none) {
    run("create table t(a integer primary key, b text)");
    BulkInsert rows;
    rows.table = "t";
    rows.columns = {"a", "b"};
    for (int i = 0; i < 5; ++i)
        rows.rows.push_back({i, "x"});
    engine->control(Control::begin_immediate);
    EXPECT_EQ(engine->bulk(rows), 5U);
    rows.rows = {{10, "x"}, {10, "again"}};
    EXPECT_THROW(engine->bulk(rows), Error);
    rows.rows = {{11, "x"}, {12, "\xff"}};
    EXPECT_THROW(engine->bulk(rows), Error);
    rows.rows.clear();
    EXPECT_EQ(engine->bulk(rows), 0U);
    engine->control(Control::commit);
    EXPECT_EQ(run("select * from t").size(), 5U);
}

TEST_F(EngineTest, keeps_few_statements_and_no_very_long_one) {
    EngineOptions small = options();
    small.cached_statements = 3;
    engine = std::make_unique<Engine>(small);
    for (int i = 0; i < 10; ++i)
        run(fmt::format("select {}", i));
    EXPECT_EQ(engine->cached_statements(), 3U);
    engine = std::make_unique<Engine>(options());
    run("select '" + std::string(20'000, 'x') + "'");
    EXPECT_EQ(engine->cached_statements(), 0U);
}

TEST_F(EngineTest, knows_when_another_connection_committed) {
    run("create table t(a)");
    const auto before = engine->data_version();
    run("insert into t values (1)");
    EXPECT_EQ(engine->data_version(), before) << "its own";
    Engine other(options());
    Statement insert;
    insert.sql = "insert into t values (2)";
    other.run(insert);
    EXPECT_NE(engine->data_version(), before);
}

TEST_F(EngineTest, says_whether_a_deferred_key_is_open) {
    run("create table p(id integer primary key)");
    run("create table c(p references p(id) deferrable initially deferred)");
    engine->control(Control::begin_immediate);
    engine->control(Control::savepoint);
    EXPECT_FALSE(engine->deferred_keys_open());
    run("insert into c values (1)");
    EXPECT_TRUE(engine->deferred_keys_open());
    engine->control(Control::rollback_to);
    engine->control(Control::release);
    EXPECT_FALSE(engine->deferred_keys_open());
    engine->control(Control::rollback);
}

/// Each kind from the real error of a real file.
struct EngineErrors : EngineTest {
    EngineErrors() {
        run("create table parent(id integer primary key)");
        run("create table child(id integer primary key, email text unique, age integer not null default 1 check (age > "
            "0), "
            "parent references parent(id))");
        run("create table strict_one(a integer) strict");
        run("create trigger refuse before delete on parent begin select raise(abort, 'kept'); end");
        run("insert into child(id, email) values (1, 'a')");
        run("insert into parent values (1)");
    }
    struct Kinded {
        ErrorKind kind;
        std::string code;
    };
    template <class Work>
    static Kinded kind_of(Work work) {
        try {
            work();
        } catch (const Error& error) {
            return {error.kind(), error.details().code};
        }
        return {ErrorKind::config, "nothing was thrown"};
    }
    void expect(const std::string& sql, ErrorKind kind, const std::string& code) {
        const Kinded found = kind_of([&] { run(sql); });
        EXPECT_EQ(to_string(found.kind), to_string(kind)) << sql;
        EXPECT_TRUE(found.code.starts_with(code + " ")) << sql << ": " << found.code;
    }
};

TEST_F(EngineErrors, of_constraints) {
    expect("insert into child(email) values ('a')", ErrorKind::conflict, "SQLITE_CONSTRAINT_UNIQUE");
    expect("insert into child(id) values (1)", ErrorKind::conflict, "SQLITE_CONSTRAINT_PRIMARYKEY");
    expect("insert into child(parent) values (99)", ErrorKind::constraint, "SQLITE_CONSTRAINT_FOREIGNKEY");
    expect("insert into child(age) values (0)", ErrorKind::constraint, "SQLITE_CONSTRAINT_CHECK");
    expect("insert into child(age) values (null)", ErrorKind::constraint, "SQLITE_CONSTRAINT_NOTNULL");
    expect("delete from parent", ErrorKind::constraint, "SQLITE_CONSTRAINT_TRIGGER");
}

TEST_F(EngineErrors, of_queries) {
    expect("selct 1", ErrorKind::query, "SQLITE_ERROR");
    expect("select * from nowhere", ErrorKind::query, "SQLITE_ERROR");
    expect("select nothing from parent", ErrorKind::query, "SQLITE_ERROR");
    expect("insert into parent values ('text')", ErrorKind::query, "SQLITE_MISMATCH");
    expect("insert into strict_one values ('text')", ErrorKind::query, "SQLITE_CONSTRAINT_DATATYPE");
    expect("select zeroblob(2000000000)", ErrorKind::query, "SQLITE_TOOBIG");
}

TEST_F(EngineErrors, carry_source_and_statement_but_no_value) {
    try {
        run("insert into child(email) values ($1)", {"a"});
        FAIL();
    } catch (const Error& error) {
        EXPECT_STREQ(
            error.what(),
            "shop: conflict: UNIQUE constraint failed: child.email [SQLITE_CONSTRAINT_UNIQUE (2067)] in `insert "
            "into child(email) values ($1)`");
    }
}

TEST_F(EngineErrors, of_another_writer_are_busy) {
    Engine other(options());
    other.control(Control::begin_immediate);
    EXPECT_EQ(kind_of([&] { engine->control(Control::begin_immediate); }).kind, ErrorKind::serialization);
    expect("insert into parent values (2)", ErrorKind::serialization, "SQLITE_BUSY");
    other.control(Control::rollback);
}

TEST_F(EngineErrors, of_a_snapshot_that_is_too_old_to_write_are_busy) {
    engine->control(Control::begin);
    run("select * from parent");
    Engine other(options());
    Statement insert;
    insert.sql = "insert into parent values (2)";
    other.run(insert);
    expect("insert into parent values (3)", ErrorKind::serialization, "SQLITE_BUSY_SNAPSHOT");
    engine->control(Control::rollback);
}

TEST_F(EngineErrors, of_writing_where_only_reading_is_allowed) {
    Engine reader(options(OpenMode::read));
    Statement insert;
    insert.sql = "insert into parent values (2)";
    EXPECT_EQ(kind_of([&] { reader.run(insert); }).kind, ErrorKind::read_only);
}

TEST_F(EngineErrors, of_a_full_file) {
    sqlite3_set_authorizer(engine->handle(), nullptr, nullptr);  // statements may not set this
    sqlite3_exec(engine->handle(), "pragma max_page_count = 1", nullptr, nullptr, nullptr);
    Statement insert;
    insert.sql = "insert into child(id, email) values (50, $1)";
    insert.values = {std::string(1'000'000, 'x')};
    const Kinded found = kind_of([&] { engine->run(insert); });
    EXPECT_EQ(found.kind, ErrorKind::other);
    EXPECT_TRUE(found.code.starts_with("SQLITE_FULL ")) << found.code;
}

TEST_F(EngineErrors, of_a_corrupt_file) {
    engine->control(Control::begin);
    for (int i = 100; i < 2'000; ++i)
        run("insert into child(id, email) values ($1, $2)", {i, std::to_string(i)});
    engine->control(Control::commit);
    engine->checkpoint();
    engine.reset();
    {
        std::fstream file(options().path, std::ios::in | std::ios::out | std::ios::binary);
        const auto size = static_cast<std::streamoff>(std::filesystem::file_size(options().path));
        for (std::streamoff page = 4096; page < size; page += 4096) {
            file.seekp(page);
            file << std::string(512, '\x5a');
        }
    }
    engine = std::make_unique<Engine>(options());
    expect("select sum(length(email)) from child", ErrorKind::other, "SQLITE_CORRUPT");
}

TEST_F(EngineErrors, of_a_file_that_is_no_database_or_cannot_be_opened) {
    EngineOptions other = options();
    other.path = folder.file("not_a_database");
    std::ofstream(other.path) << std::string(8192, 'x');
    EXPECT_EQ(kind_of([&] { Engine broken(other); }).kind, ErrorKind::connection);
    other.path = folder.file("no/such/folder/file");
    const Kinded found = kind_of([&] { Engine missing(other); });
    EXPECT_EQ(found.kind, ErrorKind::connection);
    EXPECT_TRUE(found.code.starts_with("SQLITE_CANTOPEN ")) << found.code;
}

TEST_F(EngineErrors, of_an_interrupt_say_who_interrupted) {
    const std::string endless =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n where i < 0";
    engine->set_interrupts(std::chrono::steady_clock::now() + 5ms, nullptr);
    expect(endless, ErrorKind::timeout, "SQLITE_INTERRUPT");
    const std::atomic<bool> cancelled{true};
    engine->set_interrupts(core::SteadyTime::max(), &cancelled);
    expect(endless, ErrorKind::cancelled, "SQLITE_INTERRUPT");
    engine->set_interrupts(core::SteadyTime::max(), nullptr);
    EXPECT_EQ(run("select 1").size(), 1U);
}

TEST(EngineSetup, opens_a_new_file_from_several_threads_at_once) {
    const db::internal::TempFolder folder;
    EngineOptions options;
    options.source = "shop";
    options.path = folder.file("new.sqlite3");
    std::vector<std::thread> threads;
    std::atomic<int> opened{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            const Engine engine(options);
            opened.fetch_add(1);
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(opened.load(), 4);
}

}  // namespace
}  // namespace sluice::db::sqlite
