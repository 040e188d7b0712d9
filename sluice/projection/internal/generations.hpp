// The life of generations: the first one, what a crash left behind, and the end of one that nobody reads any more.
#pragma once

#include <cstdint>

#include "sluice/projection/internal/engine.hpp"

namespace sluice::projection::internal {

/// Creates the first generation and removes what a crash left half built or half removed. Answers whether the stored
/// states are of another state_version and have to be rebuilt; throws `state_version` where that is refused. `engine`
/// outlives the task.
db::Task<bool> open_generations(Engine& engine);

/// Removes a generation in transactions of bounded size. One that is active, or that does not exist, is left alone.
db::Task<void> drop_generation(Engine& engine, std::int64_t generation);

}  // namespace sluice::projection::internal
