// One read's worth of a connection's inbound messages: rates, pings, closing, commands of sluice.v1 and gateway events.
#pragma once

#include <string>
#include <string_view>

#include "sluice/realtime/internal/connection.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/protocol/commands.hpp"
#include "sluice/realtime/ws/message_reader.hpp"

namespace sluice::realtime {

/// Lives on the stack while a read is parsed; all lasting state is the connection's.
class Session final : public ws::MessageHandler {
public:
    Session(HubShard& shard, Connection& connection) noexcept : shard_(shard), connection_(connection) {}

    ws::Proceed on_message(bool text, std::string_view payload) override;
    ws::Proceed on_ping(std::string_view payload) override;
    ws::Proceed on_pong() override;
    void on_close(std::uint16_t code, std::string_view reason) override;
    void on_failure(ws::CloseCode code, std::string_view reason) override;

private:
    bool within_rate();
    [[nodiscard]] ws::Proceed proceed() const noexcept;
    void refuse(std::string_view id, protocol::ErrorCode code, std::string_view message, bool retry = false);
    void refuse_over_rate();
    void on_gateway_message(bool text, std::string_view payload);
    void on_command(std::string_view payload);

    void handle(protocol::Hello hello);
    void handle(protocol::Subscribe subscribe);
    void handle(protocol::Unsubscribe unsubscribe);
    void handle(protocol::ClientEvent event);
    void handle(protocol::Refresh refresh);
    void handle(protocol::Pong) {}
    [[nodiscard]] bool permits(const char* action, const ChannelAddress& channel, const NamespaceConfig& config) const;

    HubShard& shard_;
    Connection& connection_;
};

}  // namespace sluice::realtime
