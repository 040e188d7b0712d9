#include "server_world.hpp"

namespace sluice::contract {
namespace {

Task<void> execute_here(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

Task<std::int64_t> read_number(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const auto row = co_await connection->query_one(std::move(sql));
    co_return row->get<std::int64_t>(0);
}

}  // namespace

std::vector<const ServerKind*> server_kinds() {
    std::vector<const ServerKind*> built;
#ifdef SLUICE_POSTGRES
    static const ServerKind postgres{
        .driver = &postgres_driver(),
        .prefix = "postgres",
        .kill_others =
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and "
            "pid <> pg_backend_pid()",
        .own_id = "select pg_backend_pid()",
        .sleep = "select pg_sleep(600)",
        .sleepers =
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and "
            "query = 'select pg_sleep(600)'",
        .set_statement_limit = "set local statement_timeout = '1s'",
        .set_lock_limit = "set local lock_timeout = '1s'",
    };
    built.push_back(&postgres);
#endif
#ifdef SLUICE_MARIADB
    static const ServerKind mariadb{
        .driver = &mariadb_driver(),
        .prefix = "mariadb",
        .kill_others =
            "begin not atomic for other in (select id from information_schema.processlist where db = database() and "
            "id <> connection_id()) do kill other.id; end for; end",
        .own_id = "select connection_id()",
        .sleep = "select sleep(600)",
        .sleepers =
            "select count(*) from information_schema.processlist where db = database() and info = 'select sleep(600)'",
        .set_statement_limit = "set max_statement_time = 1",
        .set_lock_limit = "set innodb_lock_wait_timeout = 1",
    };
    built.push_back(&mariadb);
#endif
    return built;
}

void ServerContract::SetUp() {
    shards_.start();
    sandbox_ = kind().driver->make_sandbox();
    source_ = sandbox_->open(metrics_);
    execute("create table item(id bigint primary key, name " + kind().driver->types().text + ")");
}

void ServerContract::TearDown() {
    for (const auto& other : others_)
        wait(other->close());
    others_.clear();
    wait(source_->close());
    source_.reset();
    shards_.stop();
    sandbox_.reset();
}

db::DataSource& ServerContract::open(const std::string& address) {
    return add(kind().driver->open(address, metrics_));
}

db::DataSource& ServerContract::add(std::shared_ptr<db::DataSource> source) {
    others_.push_back(std::move(source));
    return *others_.back();
}

void ServerContract::execute(const std::string& sql) {
    wait(execute_here(source(), sql));
}

std::int64_t ServerContract::number(const std::string& sql) {
    return wait(read_number(source(), sql));
}

std::string ServerContract::outcome(DbContract::Body body, db::TransactionOptions options) {
    return outcome_on(source(), std::move(body), options);
}

std::string ServerContract::outcome_on(db::DataSource& source, DbContract::Body body, db::TransactionOptions options) {
    std::string ended;
    wait(DbContract::note(ended, source.transaction(options, std::move(body))));
    return ended;
}

}  // namespace sluice::contract
