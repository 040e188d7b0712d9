// The server's limits. Each has a default that suits a public listener.
#pragma once

#include <chrono>
#include <cstddef>

#include "sluice/http/head_check.hpp"
#include "sluice/http/origin.hpp"

namespace sluice::http {

struct ServerSettings {
    HeadLimits head;
    OriginPolicy origins;                         ///< pages that may send unsafe methods, upgrade, and read answers
    std::chrono::milliseconds head_time{10'000};  ///< to the first request, and from its first byte to its head's end
    std::chrono::milliseconds body_time{30'000};  ///< from the end of the head to the end of the body
    std::chrono::milliseconds idle_time{60'000};  ///< between requests of a connection
    std::chrono::milliseconds request_time{30'000};  ///< of a handler; then it is cancelled and 504 is answered
    std::chrono::milliseconds write_time{30'000};    ///< of one response
    std::size_t body_limit = 1024 * 1024;            ///< bytes; beyond: 413
    std::size_t max_in_flight = 1'024;               ///< requests in handlers, whole server; beyond: 503
    std::size_t max_connections = 15'000;            ///< whole server; beyond: closed at once
};

}  // namespace sluice::http
