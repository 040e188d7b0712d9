// Blocking steps of the benchmarks' own WebSocket clients: connect, upgrade, write whole.
#pragma once

#include <string>
#include <string_view>

namespace sluice::bench {

/// A socket to 127.0.0.1:`port` that leaves no TIME_WAIT behind. Throws std::runtime_error.
[[nodiscard]] int connect_to(int port);
void write_whole(int socket, std::string_view bytes);
void ask_upgrade(int socket, const std::string& path);
/// Waits until the handshake is answered; what followed it is returned. A refusal is a std::runtime_error.
std::string take_answer(int socket);

}  // namespace sluice::bench
