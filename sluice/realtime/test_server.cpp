#include "sluice/realtime/test_server.hpp"

#include <array>
#include <vector>

#include "sluice/net/acceptor.hpp"
#include "sluice/realtime/ws/handshake.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::realtime {
namespace {

struct RequestHead {
    std::string text;
    std::string leftover;
    std::string_view target;
    std::vector<ws::HeaderView> headers;
};

/// Splits a well-formed head; what a test sends on purpose malformed goes to ws::evaluate in its own tests.
void split(RequestHead& head) {
    std::string_view rest = head.text;
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    head.target = line.substr(4, line.rfind(' ') - 4);
    rest.remove_prefix(line.size() + 2);
    while (!rest.empty()) {
        const std::string_view field = rest.substr(0, rest.find("\r\n"));
        rest.remove_prefix(std::min(rest.size(), field.size() + 2));
        const std::size_t colon = field.find(':');
        if (colon != std::string_view::npos) head.headers.push_back({field.substr(0, colon), field.substr(colon + 1)});
    }
}

runtime::Task<RequestHead> read_head(net::Stream& stream) {
    std::string text;
    std::array<std::byte, 4096> buffer;
    std::size_t end = std::string::npos;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
        const std::size_t got = co_await stream.read(buffer);
        if (got == 0) throw boost::system::system_error(boost::asio::error::eof);
        text.append(reinterpret_cast<const char*>(buffer.data()), got);
    }
    RequestHead head;
    head.leftover = text.substr(end + 4);
    head.text = text.substr(0, end + 2);
    co_return head;
}

runtime::Task<void> upgrade(Hub& hub, net::Stream stream) {
    RequestHead head = co_await read_head(stream);
    split(head);
    const std::size_t query = head.target.find("?tenant=");
    const std::string path(head.target.substr(0, query));
    const std::string tenant(query == std::string_view::npos ? "shop_a" : head.target.substr(query + 8));
    const bool channels = path == "/ws";
    ws::HandshakeRules rules;
    if (channels) rules.protocols = {ws::kSluiceV1};
    const auto answer = ws::evaluate({"GET", 1, head.headers}, rules);
    const std::string text =
        answer ? ws::response_head(*answer)
               : "HTTP/1.1 " + std::to_string(answer.error().status) + " Refused\r\n\r\n" + answer.error().text;
    co_await stream.write_all(std::as_bytes(std::span(text)));
    if (!answer) co_return;
    hub.adopt(std::move(stream), std::move(head.leftover),
              identity::Identity::anonymous(tenant::TenantId::parse(tenant).value()),
              channels ? Endpoint::channels() : Endpoint::gateway(path));
}

}  // namespace

struct TestServer::State {
    struct PerShard {
        PerShard(runtime::Shard& shard, int native) : scope(shard, {}), acceptor(shard, native, {}) {}
        runtime::TaskScope scope;
        net::Acceptor acceptor;
    };

    State(runtime::ShardGroup& group, Hub& target) : shards(group), hub(target), listener(net::listen("127.0.0.1", 0)) {
        for (std::uint32_t i = 0; i < shards.size(); ++i) {
            runtime::call_on(shards.at(i), [this, i] {
                auto& part = *parts.emplace_back(std::make_unique<PerShard>(shards.at(i), listener.open_another()));
                part.scope.spawn("accept", part.acceptor.run([this, &part](net::Socket socket) {
                    part.scope.spawn("upgrade", upgrade(hub, net::Stream(std::move(socket))));
                }));
            });
        }
    }

    void stop() {
        for (std::uint32_t i = 0; i < shards.size(); ++i) {
            runtime::call_on(shards.at(i), [&part = *parts[i]] {
                part.acceptor.close();
                part.scope.cancel();
            });
            runtime::block_on(shards.at(i), parts[i]->scope.join());
        }
        runtime::call_on(shards.at(0), [this] { parts.clear(); });
    }

    runtime::ShardGroup& shards;
    Hub& hub;
    net::Listener listener;
    std::vector<std::unique_ptr<PerShard>> parts;
};

TestServer::TestServer(runtime::ShardGroup& shards, Hub& hub) : state_(std::make_unique<State>(shards, hub)) {}

TestServer::~TestServer() {
    state_->stop();
}

std::uint16_t TestServer::port() const noexcept {
    return state_->listener.port();
}

}  // namespace sluice::realtime
