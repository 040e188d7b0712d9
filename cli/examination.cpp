#include "cli/examination.hpp"

#include <chrono>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "sluice/core/unique_id.hpp"
#include "sluice/db/row_as.hpp"

namespace sluice::cli {
namespace {

using std::chrono::steady_clock;

constexpr const char* kAskPostgres =
    "select current_setting('server_version_num')::bigint as version, current_setting('server_version') as "
    "version_text, "
    "pg_is_in_recovery() as replica, current_setting('default_transaction_read_only') = 'on' as read_only, "
    "r.rolsuper as superuser, r.rolbypassrls as bypasses_row_security, "
    "(select count(*) from pg_class c where c.relowner = r.oid and c.relkind in ('r', 'p') "
    "and c.relnamespace = to_regnamespace(quote_ident(current_schema()))) as owned_tables, "
    "coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create, "
    "coalesce(current_schema()::text, '') as schema, current_setting('server_encoding') as encoding, "
    "current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit, "
    "(select count(*) from pg_stat_activity where backend_type = 'client backend') as connections, "
    "current_setting('max_connections')::bigint as most_connections "
    "from pg_roles r where r.rolname = current_user";

constexpr const char* kAskMariadb =
    "select version() as version_text, @@read_only <> 0 as read_only, "
    "(select count(*) > 0 from information_schema.user_privileges where privilege_type = 'SUPER' "
    "and grantee = concat('''', replace(current_user(), '@', '''@'''), '''')) as superuser, "
    "@@character_set_database as charset, @@innodb_flush_log_at_trx_commit as flush_at_commit, @@log_bin as binlog, "
    "@@binlog_format as binlog_format, @@log_bin_trust_function_creators <> 0 as trusts_triggers, "
    // Our own sessions are strict by themselves.
    "@@global.sql_mode like '%STRICT_%_TABLES%' as strict, "
    "(select count(*) from information_schema.processlist) as connections, @@max_connections as most_connections";

/// A pooler that lends its connections for a transaction each shows what one client has set to another.
db::Task<Pooler> look_for_pooler(db::DataSource& source) {
    constexpr const char* kSet = "select set_config('sluice.doctor', $1, false)";
    // Finds the mark and takes it away at once.
    constexpr const char* kTake =
        "select set_config('sluice.doctor', '', false) where current_setting('sluice.doctor', true) = $1";
    constexpr int kLooks = 64;  // a pooler may lend each of its connections in turn
    const std::string mark = core::unique_id();
    const std::unique_ptr<db::Connection> one = co_await source.acquire(db::AccessIntent::write);
    const std::unique_ptr<db::Connection> other = co_await source.acquire(db::AccessIntent::write);
    Pooler pooler = Pooler::none_seen;
    co_await one->query(kSet, mark);
    for (int look = 0; look < kLooks && pooler == Pooler::none_seen; ++look) {
        const auto row = co_await other->query_one(kTake, mark);
        if (row) pooler = Pooler::transaction;
    }
    if (pooler == Pooler::none_seen) co_await one->query(kTake, mark);
    co_return pooler;
}

db::Task<std::vector<Finding>> examine_postgres(db::DataSource& source) {
    PostgresFacts facts;
    {
        const auto connection = co_await source.acquire(db::AccessIntent::write);
        const db::Result result = co_await connection->query(kAskPostgres);
        facts = db::rows_as<PostgresFacts>(result).at(0);
    }
    const Pooler pooler = co_await look_for_pooler(source);
    co_return judge(facts, pooler);
}

db::Task<std::vector<Finding>> examine_mariadb(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    const db::Result result = co_await connection->query(kAskMariadb);
    const MariadbFacts facts = db::rows_as<MariadbFacts>(result).at(0);
    co_return judge(facts);
}

db::Task<std::vector<Finding>> examine_sqlite(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    const auto version = co_await connection->query_one("select sqlite_version()");
    const auto journal = co_await connection->query_one("pragma journal_mode");
    const auto bytes =
        co_await connection->query_one("select page_count * page_size from pragma_page_count(), pragma_page_size()");
    const SqliteFacts facts{version->get<std::string>(0), journal->get<std::string>(0), bytes->get<std::int64_t>(0)};
    co_return judge(facts);
}

/// Until a first connection answers.
db::Task<Finding> reach(db::DataSource& source) {
    const auto began = steady_clock::now();
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->query("select 1");
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
    Finding finding{"connect", Verdict::ok, fmt::format("answers after {} ms", took.count())};
    co_return finding;
}

}  // namespace

db::Task<std::vector<Finding>> examine(db::DataSource& source) {
    std::vector<Finding> findings;
    findings.push_back(co_await reach(source));
    std::vector<Finding> more;
    switch (source.dialect()) {
        case db::Dialect::postgres:
            more = co_await examine_postgres(source);
            break;
        case db::Dialect::mariadb:
            more = co_await examine_mariadb(source);
            break;
        case db::Dialect::sqlite:
            more = co_await examine_sqlite(source);
            break;
    }
    findings.insert(findings.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    co_return findings;
}

}  // namespace sluice::cli
