#include "sluice/outbox/internal/sequencing.hpp"

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/mariadb/internal/incoming_sequencer.hpp"
#include "sluice/outbox/postgres/internal/tick_sequencer.hpp"
#include "sluice/outbox/sqlite/internal/group_sequencing.hpp"

namespace sluice::outbox {

std::unique_ptr<Sequencing> make_sequencing(SequencingContext context) {
    if (auto sequencing = sqlite::make_group_sequencing(context)) return sequencing;
    if (auto sequencing = postgres::make_tick_sequencing(context)) return sequencing;
    if (auto sequencing = mariadb::make_incoming_sequencing(context)) return sequencing;
    throw Error(ErrorKind::config, context.source->name(),
                "there is no sequencer for this data source; it must be a db::sqlite::Database or one on PostgreSQL or "
                "MariaDB");
}

}  // namespace sluice::outbox
