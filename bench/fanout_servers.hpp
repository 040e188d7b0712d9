// The servers that the fan-out benchmark compares, each a process of its own that answers `port`, `sends` (write calls
// so far) and ends with its standard input. Paths: /member joins the room that /publish publishes to.
#pragma once

namespace sluice::bench {

/// The hub behind the HTTP server, as programs use it. Also /member20 and /publish20 (twenty rooms at once), and /live:
/// sluice.v1 with the namespace `feed`.
int run_hub_server();

/// The floor: an epoll loop that does one `send` per member and message, and nothing else.
int run_floor_server();

}  // namespace sluice::bench
