#include "sluice/outbox/postgres/internal/removal.hpp"

#include <fmt/format.h>

#include "sluice/outbox/postgres/internal/snapshot.hpp"

namespace sluice::outbox::postgres {

std::optional<std::int64_t> ended_before(std::string_view snapshot) {
    const std::optional<Snapshot> read = Snapshot::parse(snapshot);
    return read ? std::optional(read->xmin) : std::nullopt;
}

std::vector<db::Statement> mark_removed(std::int64_t first_kept, std::optional<std::int64_t> below) {
    const db::Value mark = below ? db::Value(fmt::format("{}", *below)) : db::Value(db::null);
    std::vector<db::Statement> statements;
    statements.push_back(
        db::statement("update sluice_tick set removed_below ="
                      " coalesce($1::xid8, (select removed_below from sluice_tick order by n limit 1)) where n = $2",
                      mark, first_kept));
    return statements;
}

}  // namespace sluice::outbox::postgres
