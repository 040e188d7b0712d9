#include "driver.hpp"

namespace sluice::contract {
namespace {

Task<void> execute_on(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

Task<std::string> read_items(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const db::Result result = co_await connection->query("select id from item order by id");
    std::string text;
    for (const db::Row& row : result)
        text += (text.empty() ? "" : " ") + std::to_string(row.get<std::int64_t>("id"));
    co_return text;
}

Task<std::int64_t> read_count(db::DataSource& source, std::string table) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const auto row = co_await connection->query_one("select count(*) as n from " + table);
    co_return row->get<std::int64_t>("n");
}

}  // namespace

std::vector<const Driver*> drivers() {
    std::vector<const Driver*> built{&sqlite_driver()};
#ifdef SLUICE_POSTGRES
    built.push_back(&postgres_driver());
    built.push_back(&pgbouncer_driver());
#endif
#ifdef SLUICE_MARIADB
    built.push_back(&mariadb_driver());
#endif
    return built;
}

void DbContract::SetUp() {
    shards_.start();
    sandbox_ = driver().make_sandbox();
    source_ = sandbox_->open(metrics_);
}

void DbContract::TearDown() {
    wait(source_->close());
    source_.reset();
    shards_.stop();
    sandbox_.reset();
}

void DbContract::execute(const std::string& sql) {
    wait(execute_on(source(), sql));
}

void DbContract::make_items() {
    execute("create table item(id bigint primary key, name " + driver().types().text + ")");
}

std::string DbContract::items() {
    return wait(read_items(source()));
}

std::int64_t DbContract::count(const std::string& table) {
    return wait(read_count(source(), table));
}

std::string DbContract::outcome(Body body, db::TransactionOptions options) {
    std::string ended;
    wait(note(ended, source().transaction(options, std::move(body))));
    return ended;
}

Task<void> DbContract::note(std::string& outcome, Task<void> task) {
    try {
        co_await std::move(task);
        outcome = "ok";
    } catch (const db::Error& error) {
        outcome = to_string(error.kind());
    } catch (const std::exception& error) {
        outcome = error.what();
    }
}

Task<void> insert_item(db::Session& session, std::int64_t id) {
    co_await session.execute("insert into item(id, name) values ($1, $2)", id, "x");
}

}  // namespace sluice::contract
