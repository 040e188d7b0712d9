// Numbering on SQLite: installs a GroupSequencer as the database's group hook and brings its ticks to the shard.
#pragma once

#include <memory>

#include "sluice/outbox/internal/sequencing.hpp"

namespace sluice::outbox::sqlite {

/// Null when the source is no SQLite database.
[[nodiscard]] std::unique_ptr<Sequencing> make_group_sequencing(const SequencingContext& context);

}  // namespace sluice::outbox::sqlite
