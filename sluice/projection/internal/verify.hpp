// The stored states against a pure fold of the log, byte for byte.
#pragma once

#include "sluice/projection/internal/log.hpp"
#include "sluice/projection/rebuild.hpp"

namespace sluice::projection::internal {

/// Compares state, version and presence of every key at one snapshot per pass; live batches may go on. Makes as many
/// passes over the log, each for a share of the keys, as `Settings::rebuild_bytes` asks for. Throws `gone` when the log
/// no longer reaches back. Both outlive the task.
db::Task<VerifyReport> verify(Engine& engine, outbox::Outbox& outbox);

}  // namespace sluice::projection::internal
