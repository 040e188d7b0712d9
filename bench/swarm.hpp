// The client side of the fan-out benchmarks: thousands of WebSocket connections of one process that count frames.
//
//   connect PORT PATH COUNT G   opens COUNT more members and waits for G frames on each
//   publisher PORT PATH BYTES   opens the one that publishes a JSON string of BYTES bytes
//   burst TIMES FRAMES EACH     TIMES times: publishes FRAMES messages in one write, and waits until every member has
//                               read FRAMES × EACH frames; answers "BYTES", what all members read
//   subscribe FROM TO CHANNELS  members FROM … TO-1 subscribe to feed/0 … feed/<CHANNELS-1>
#pragma once

namespace sluice::bench {

/// Serves commands until standard input ends. Answers the exit code.
int run_swarm();

}  // namespace sluice::bench
