// The server of the screen benchmark: an App with one tenant, one queue and one projection, which is its own producer.
// Answers `port`, and `run RATE SECONDS` with "EVENTS P50 P99" of the commits in ms, from the moment each was due.
#pragma once

#include <string>

namespace sluice::bench {

/// Serves until standard input ends. `folder` is for the tenant's file.
int run_screen_server(const std::string& folder);

/// The client side: `connect PORT SUBSCRIBERS`; `expect DELIVERIES` waits until so many frames are read and answers
/// "P50 P99 P999" in ms, from the moment each event was due.
int run_screen_client();

inline constexpr int kScreenKeys = 100;

}  // namespace sluice::bench
