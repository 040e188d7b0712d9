// A gateway: a WebSocket path of the application's own, with events by name: `{"event": "say", "data": …}` both ways.
//
//     realtime::GatewayConfig chat{.path = "/chat"};
//     chat.on_connect = [](const realtime::Client& client) { client.join_room("lobby"); };
//     chat.on("say", [](realtime::Client client, std::string data) -> runtime::Task<void> {
//         client.broadcast_room("lobby", "said", data);
//         co_return;
//     });
//     hub.add_gateway(std::move(chat));
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "sluice/realtime/client.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::realtime {

/// Runs on the connection's shard. `data_json` is the event's data without spaces, `null` if it had none. What it
/// throws is logged and answered with `{"event":"error","data":{"code":"internal",…}}`.
using EventHandler = std::function<runtime::Task<void>(Client client, std::string data_json)>;

/// Immutable once added.
struct GatewayConfig {
    std::string path;

    std::function<void(const Client&)> on_connect;     ///< after the connection is registered
    std::function<void(const Client&)> on_disconnect;  ///< before it is removed
    std::map<std::string, EventHandler, std::less<>> handlers;

    /// When set, every message goes here as it came, on the reading path, and there are no events by name. Must not
    /// throw. `Client::send` answers in kind.
    std::function<void(const Client&, MessageKind, std::string_view)> on_message;

    GatewayConfig& on(std::string event, EventHandler handler) {
        handlers.insert_or_assign(std::move(event), std::move(handler));
        return *this;
    }
};

}  // namespace sluice::realtime
