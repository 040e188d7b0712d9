#include "sluice/outbox/internal/sequencing.hpp"

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/sqlite/internal/group_sequencing.hpp"

namespace sluice::outbox {

std::unique_ptr<Sequencing> make_sequencing(SequencingContext context) {
    if (auto sequencing = sqlite::make_group_sequencing(context)) return sequencing;
    throw Error(ErrorKind::config, context.source->name(),
                "this build has no sequencer for the data source; it must be a db::sqlite::Database");
}

}  // namespace sluice::outbox
