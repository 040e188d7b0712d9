#include "sluice/outbox/mariadb/internal/incoming.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox::mariadb {
namespace {

/// The ids of $1 as a table.
constexpr std::string_view kIds = "json_table($1, '$[*]' columns (id bigint path '$'))";

/// The messages of `sluice_incoming` behind $1, at most $2.
constexpr std::string_view kUnnumbered =
    "sluice_incoming straight_join sluice_message force index (primary) on sluice_message.id = sluice_incoming.id"
    " where sluice_incoming.id > $1 order by sluice_incoming.id limit $2";

db::Statement delete_from(std::string_view table, std::vector<std::int64_t> ids) {
    return db::statement(
        fmt::format("delete {0} from {1} as gone straight_join {0} force index (primary) on {0}.id = gone.id", table,
                    kIds),
        std::move(ids));
}

}  // namespace

db::Statement select_newest() {
    return db::statement(
        "select coalesce((select n from sluice_tick order by n desc limit 1), 0), cast(@@server_id as char)");
}

db::Statement select_settings() {
    return db::statement("select cast(@@log_bin as integer), cast(@@binlog_format as char)");
}

std::string settings_fault(const db::Row& row) {
    if (row.get<std::int64_t>(0) == 0 || row.get<std::string>(1) != "STATEMENT") return {};
    return "binlog_format is STATEMENT, which refuses units at READ COMMITTED, and a start is one: set binlog_format "
           "to "
           "ROW or MIXED";
}

db::Statement select_incoming(std::int64_t after, std::int64_t limit) {
    return db::statement(fmt::format("select sluice_message.id, {} from {}", sql::kContent, kUnnumbered), after, limit);
}

db::Statement select_behind(std::int64_t id, std::int64_t limit) {
    return db::statement(
        fmt::format("select id, {} from sluice_message where id > $1 order by id limit $2", sql::kContent), id, limit);
}

db::Statement select_incoming_references(std::int64_t after, std::int64_t limit) {
    return db::statement(fmt::format("select sluice_message.id, queue, \"key\" from {}", kUnnumbered), after, limit);
}

void take_incoming(const db::Result& rows, std::size_t bytes, NewRows& into) {
    for (const db::Row& row : rows) {
        Content content = read_content(row, 0);
        into.ids.push_back(content.message.id.value());
        into.queues.push_back(content.queue);
        into.keys.push_back(content.message.key);
        const bool fits = into.payload_bytes < bytes;
        into.payload_bytes += content.message.payload.size();
        if (fits) into.contents.push_back(std::move(content.message));
    }
}

void take_references(const db::Result& rows, NewRows& into) {
    for (const db::Row& row : rows) {
        into.ids.push_back(row.get<std::int64_t>(0));
        into.queues.push_back(queue_number(row.at(1)));
        into.keys.push_back(as_string(row.at(2)));
    }
}

db::Statement delete_incoming(const std::vector<std::int64_t>& ids) {
    return delete_from("sluice_incoming", ids);
}

db::Statement select_messages(std::vector<std::int64_t> ids) {
    return db::statement(
        fmt::format("select sluice_message.id, {} from {} as wanted straight_join sluice_message force index (primary)"
                    " on sluice_message.id = wanted.id",
                    sql::kContent, kIds),
        std::move(ids));
}

db::Statement delete_messages(std::vector<std::int64_t> ids) {
    return delete_from("sluice_message", std::move(ids));
}

}  // namespace sluice::outbox::mariadb
