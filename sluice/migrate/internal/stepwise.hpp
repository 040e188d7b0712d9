// A migration that no transaction can hold: its statements one by one, each recorded, so that a crash resumes at the
// statement that it interrupted and none runs twice.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/migrate/migration.hpp"
#include "sluice/migrate/runner.hpp"

namespace sluice::migrate::internal {

/// Applies `all[index]` unless another program did meanwhile. A statement that changes rows commits together with its
/// record; one that runs alone is marked as begun before and as done after it. Throws `serialization` when another
/// program keeps the lock beyond `wait`.
db::Task<Step> run_stepwise(db::DataSource& source, const std::vector<Migration>& all, std::size_t index,
                            core::Logger log, std::chrono::milliseconds wait);

}  // namespace sluice::migrate::internal
