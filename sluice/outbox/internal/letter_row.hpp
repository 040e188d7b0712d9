// A dead letter as a row of `sluice_dead_letter`.
#pragma once

#include <string>

#include "sluice/outbox/dead_letters.hpp"
#include "sluice/outbox/internal/processor.hpp"

namespace sluice::outbox {

/// "select … from sluice_dead_letter where 1 = 1", with the columns that `read_letter` expects.
[[nodiscard]] std::string letter_columns();
[[nodiscard]] DeadLetter read_letter(const DeliveryDeps& deps, const db::Row& row);

}  // namespace sluice::outbox
