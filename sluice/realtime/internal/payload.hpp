// The check that every event passes before it is sent anywhere.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::realtime {

/// Throws RealtimeError(bad_payload), naming what is wrong, unless `event` has 1 to 128 bytes of UTF-8 and `data_json`
/// is one JSON value of at most `largest` bytes without integers beyond ±(2^53 - 1).
void check_payload(std::string_view event, std::string_view data_json, std::size_t largest);

}  // namespace sluice::realtime
