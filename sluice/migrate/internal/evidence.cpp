#include "sluice/migrate/internal/evidence.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "sluice/migrate/internal/plan.hpp"
#include "sluice/migrate/internal/statement_kind.hpp"

namespace sluice::migrate::internal {
namespace {

/// Everything that DDL changes in a schema, a line each. What rows change (sizes, the next automatic number) and what
/// says when is left out.
constexpr std::array kSchemaListings{
    "select concat_ws('|', 'table', table_name, table_type, engine, table_collation, create_options, table_comment) "
    "from information_schema.tables where table_schema = database()",
    "select concat_ws('|', 'column', table_name, ordinal_position, column_name, column_type, is_nullable, "
    "quote(column_default), collation_name, extra, generation_expression, quote(column_comment)) "
    "from information_schema.columns where table_schema = database()",
    "select concat_ws('|', 'index', table_name, index_name, seq_in_index, quote(column_name), non_unique, "
    "quote(sub_part), quote(collation), index_type, quote(index_comment)) "
    "from information_schema.statistics where table_schema = database()",
    "select concat_ws('|', 'constraint', table_name, constraint_name, constraint_type) "
    "from information_schema.table_constraints where table_schema = database()",
    "select concat_ws('|', 'key', table_name, constraint_name, ordinal_position, column_name, "
    "quote(referenced_table_name), quote(referenced_column_name)) "
    "from information_schema.key_column_usage where table_schema = database()",
    "select concat_ws('|', 'reference', table_name, constraint_name, update_rule, delete_rule) "
    "from information_schema.referential_constraints where constraint_schema = database()",
    "select concat_ws('|', 'check', table_name, constraint_name, check_clause) "
    "from information_schema.check_constraints where constraint_schema = database()",
    "select concat_ws('|', 'view', table_name, view_definition, check_option, definer, security_type) "
    "from information_schema.views where table_schema = database()",
    "select concat_ws('|', 'trigger', trigger_name, event_object_table, event_manipulation, action_timing, "
    "action_order, action_statement, definer) from information_schema.triggers where trigger_schema = database()",
    "select concat_ws('|', 'routine', routine_type, routine_name, quote(dtd_identifier), routine_definition, definer, "
    "security_type, sql_data_access, is_deterministic, quote(routine_comment)) "
    "from information_schema.routines where routine_schema = database()",
    "select concat_ws('|', 'parameter', specific_name, ordinal_position, parameter_mode, parameter_name, "
    "dtd_identifier) from information_schema.parameters where specific_schema = database()",
    "select concat_ws('|', 'event', event_name, event_definition, status, event_type, quote(execute_at), "
    "quote(interval_value), quote(interval_field), definer) "
    "from information_schema.events where event_schema = database()",
    "select concat_ws('|', 'partition', table_name, partition_name, subpartition_name, partition_method, "
    "partition_expression, partition_description) from information_schema.partitions "
    "where table_schema = database() and partition_name is not null"};

db::Task<std::string> schema_digest(db::Session& session) {
    std::vector<std::string> lines;
    for (const char* const listing : kSchemaListings) {
        const db::Result result = co_await session.query(listing);
        for (const db::Row& row : result)
            lines.push_back(row.get<std::string>(0));
    }
    std::ranges::sort(lines);
    co_return digest_of(lines);
}

enum class IndexState { absent, invalid, valid };

db::Task<IndexState> state_of(db::Session& session, std::string index) {
    const auto row =
        co_await session.query_one("select indisvalid from pg_index where indexrelid = to_regclass($1)", index);
    if (!row) co_return IndexState::absent;
    co_return row->get<bool>(0) ? IndexState::valid : IndexState::invalid;
}

}  // namespace

db::Task<std::string> trace_of(db::Session& session) {
    std::string trace;
    if (session.dialect() == db::Dialect::mariadb) trace = co_await schema_digest(session);
    co_return trace;
}

db::Task<bool> has_happened(db::Session& session, std::string sql, std::string trace) {
    if (session.dialect() == db::Dialect::mariadb) {
        const std::string now = co_await schema_digest(session);
        co_return now != trace;
    }
    const auto index = concurrent_index(sql);
    if (!index) co_return false;
    const IndexState state = co_await state_of(session, *index);
    if (state == IndexState::invalid) co_await session.execute("drop index concurrently if exists " + *index);
    co_return state == IndexState::valid;
}

db::Task<void> confirm(db::Session& session, std::string sql) {
    if (session.dialect() != db::Dialect::postgres) co_return;
    const auto index = concurrent_index(sql);
    if (!index) co_return;
    const IndexState state = co_await state_of(session, *index);
    if (state != IndexState::invalid) co_return;
    db::ErrorDetails details;
    details.message =
        fmt::format("index {} was there and is invalid; drop it (drop index concurrently) and run again", *index);
    throw db::Error(db::ErrorKind::query, std::move(details));
}

bool says_done(const db::Error& error, db::Dialect dialect) {
    // Table or index, other object, database; the same for what is gone.
    constexpr std::array<std::string_view, 5> kPostgres{"42P07", "42710", "42P04", "42704", "3D000"};
    // Database is there, is gone; user is there or is gone.
    constexpr std::array<std::string_view, 3> kMariadb{"1007", "1008", "1396"};
    const std::string& code = error.details().code;
    return dialect == db::Dialect::postgres ? std::ranges::find(kPostgres, code) != kPostgres.end()
                                            : std::ranges::find(kMariadb, code) != kMariadb.end();
}

}  // namespace sluice::migrate::internal
