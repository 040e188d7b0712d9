// The bytes of a tick's references and checkpoint, as stored in `sluice_tick`. Pure; never throws, never reads past the
// end, whatever the bytes.
//
// References, version 1: byte 1 · runs · per run: queue − previous queue · lane (− previous lane − 1 within a queue) ·
// first sequence · ids − 1 · first id − lowest id of the tick · then each id − previous id − 1. All numbers LEB128.
// Checkpoint, version 1: byte 1 · entries · per entry: queue and lane as above · next sequence.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/outbox/internal/tick.hpp"

namespace sluice::outbox {

/// `runs` as in Tick; every id is at least `lowest_id`.
[[nodiscard]] std::string encode_runs(const std::vector<LaneRun>& runs, std::int64_t lowest_id);
/// The error says what is wrong at which byte.
[[nodiscard]] std::expected<std::vector<LaneRun>, std::string> decode_runs(std::string_view bytes,
                                                                           std::int64_t lowest_id);

[[nodiscard]] std::string encode_checkpoint(const std::vector<NextSequence>& entries);
[[nodiscard]] std::expected<std::vector<NextSequence>, std::string> decode_checkpoint(std::string_view bytes);

}  // namespace sluice::outbox
