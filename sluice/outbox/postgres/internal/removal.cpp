#include "sluice/outbox/postgres/internal/removal.hpp"

#include "sluice/outbox/postgres/internal/snapshot.hpp"

namespace sluice::outbox::postgres {

bool sees_any(std::string_view snapshot) {
    const std::optional<Snapshot> read = Snapshot::parse(snapshot);
    return read && read->xmin > 0;
}

std::vector<db::Statement> mark_removed(std::int64_t first_kept, const std::optional<std::string>& seen_by) {
    const db::Value mark = seen_by ? db::Value(*seen_by) : db::Value(db::null);
    std::vector<db::Statement> statements;
    statements.push_back(db::statement(
        "update sluice_tick set removed_in ="
        " coalesce($1::pg_snapshot, (select removed_in from sluice_tick order by n limit 1)) where n = $2",
        mark, first_kept));
    return statements;
}

}  // namespace sluice::outbox::postgres
