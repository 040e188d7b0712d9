#include "sluice/net/acceptor.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/log_capture.hpp"

namespace sluice::net {
namespace {

using namespace std::chrono_literals;
using runtime::run_task;
using runtime::Task;

/// A blocking client socket, connected to `port` when asked.
class Client {
public:
    Client() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    Client(Client&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    Client& operator=(Client&&) = delete;
    ~Client() {
        if (socket_ >= 0) ::close(socket_);
    }
    bool connect(std::uint16_t port) const {
        const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
        return ::connect(socket_, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
    }

private:
    int socket_;
};

/// Returns when `condition` holds; throws when it does not within 20 s.
Task<void> wait_until(std::function<bool()> condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the condition never held");
        co_await runtime::sleep_for(1ms);
    }
}

TEST(Acceptor, every_connection_is_handed_over_until_it_is_closed) {
    runtime::Shard shard(0, core::real_clock());
    const Listener listener = listen("127.0.0.1", 0);
    Acceptor acceptor(shard, listener.open_another(), core::Logger());
    runtime::TaskScope scope(shard, core::Logger());
    std::vector<Socket> taken;
    scope.spawn("accept", acceptor.run([&](Socket socket) { taken.push_back(std::move(socket)); }));
    std::vector<Client> clients(20);
    for (const Client& client : clients)
        ASSERT_TRUE(client.connect(listener.port()));

    run_task(shard, wait_until([&] { return taken.size() == clients.size(); }));
    acceptor.close();
    run_task(shard, scope.join());

    EXPECT_FALSE(clients.front().connect(listener.port()));
    EXPECT_EQ(scope.failed(), 0u);
}

TEST(Acceptor, ends_when_it_is_cancelled) {
    runtime::Shard shard(0, core::real_clock());
    const Listener listener = listen("127.0.0.1", 0);
    Acceptor acceptor(shard, listener.open_another(), core::Logger());
    runtime::TaskScope scope(shard, core::Logger());
    scope.spawn("accept", acceptor.run([](Socket) {}));
    shard.run_ready();
    scope.cancel();
    run_task(shard, scope.join());
    EXPECT_EQ(scope.running(), 0u);
}

TEST(Acceptor, the_shards_of_a_group_share_one_port) {
    runtime::ShardGroup shards(2);
    shards.start();
    const Listener listener = listen("127.0.0.1", 0);
    std::atomic<int> taken{0};
    std::vector<std::unique_ptr<Acceptor>> acceptors;
    std::vector<std::unique_ptr<runtime::TaskScope>> scopes;
    for (std::uint32_t i = 0; i < shards.size(); ++i) {
        runtime::call_on(shards.at(i), [&] {
            acceptors.push_back(std::make_unique<Acceptor>(shards.at(i), listener.open_another(), core::Logger()));
            scopes.push_back(std::make_unique<runtime::TaskScope>(shards.at(i), core::Logger()));
            scopes.back()->spawn("accept", acceptors.back()->run([&](Socket) { ++taken; }));
        });
    }
    std::vector<Client> clients(64);
    for (const Client& client : clients)
        ASSERT_TRUE(client.connect(listener.port()));
    runtime::Shard here(9, core::real_clock());
    run_task(here, wait_until([&] { return taken.load() == 64; }));
    for (std::uint32_t i = 0; i < shards.size(); ++i) {
        runtime::call_on(shards.at(i), [&] { scopes[i]->cancel(); });
        runtime::block_on(shards.at(i), scopes[i]->join());
    }
    shards.stop();
    EXPECT_EQ(taken.load(), 64);
}

/// Lets the process open no descriptor beyond those it has.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit tight = before_;
        const int next = ::dup(0);  // the lowest number that is free
        ::close(next);
        tight.rlim_cur = static_cast<rlim_t>(next);
        ::setrlimit(RLIMIT_NOFILE, &tight);
    }
    ~NoMoreDescriptors() { lift(); }
    void lift() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

TEST(Acceptor, out_of_descriptors_it_pauses_says_so_once_and_goes_on) {
    runtime::Shard shard(0, core::real_clock());
    auto sink = std::make_shared<sluice::testing::CapturingSink>();
    const Listener listener = listen("127.0.0.1", 0);
    Acceptor acceptor(shard, listener.open_another(), core::Logger(sink, core::LogLevel::debug));
    runtime::TaskScope scope(shard, core::Logger());
    int taken = 0;
    int turns = 0;
    shard.add_flusher([&] { ++turns; });
    scope.spawn("accept", acceptor.run([&](Socket) { ++taken; }));
    const std::vector<Client> clients(2);
    // Asked for before the descriptors are gone: the sanitizer's first look at a virtual table needs two of them.
    const std::string reason = boost::system::error_code(EMFILE, boost::asio::error::get_system_category()).message();
    sink->write(core::LogLevel::debug, "test", reason);
    NoMoreDescriptors tight;
    for (const Client& client : clients)
        ASSERT_TRUE(client.connect(listener.port()));

    const auto paused_at = std::chrono::steady_clock::now();
    run_task(shard, runtime::sleep_for(200ms));  // lint: allow sleep: the time in which it must not spin is measured
    const auto paused_for = std::chrono::steady_clock::now() - paused_at;
    EXPECT_EQ(taken, 0);
    EXPECT_LE(turns, 20 + 2 * (paused_for / 50ms));
    tight.lift();
    run_task(shard, wait_until([&] { return taken == 2; }));
    scope.cancel();
    run_task(shard, scope.join());

    const auto lines = sink->lines();
    const auto warnings = std::ranges::count(lines, core::LogLevel::warn, &sluice::testing::LogLine::level);
    EXPECT_EQ(warnings, 1);
    EXPECT_TRUE(sink->contains("cannot accept connections: " + reason));
    EXPECT_TRUE(sink->contains("accepting connections again"));
}

ErrorKind kind_of_listening(const std::string& address, std::uint16_t port, std::string& text) {
    try {
        const Listener listener = listen(address, port);
    } catch (const Error& e) {
        text = e.what();
        return e.kind();
    }
    return ErrorKind::other;
}

TEST(Listen, a_port_that_is_taken_is_refused_by_number) {
    const Listener first = listen("127.0.0.1", 0);
    const int listening = first.open_another();
    std::string text;
    EXPECT_EQ(kind_of_listening("127.0.0.1", first.port(), text), ErrorKind::address_in_use);
    ::close(listening);
    EXPECT_NE(text.find(fmt::format("127.0.0.1:{}", first.port())), std::string::npos) << text;
}

TEST(Listen, an_address_that_is_not_numeric_is_refused_as_written) {
    std::string text;
    EXPECT_EQ(kind_of_listening("localhost", 0, text), ErrorKind::bad_address);
    EXPECT_NE(text.find("'localhost'"), std::string::npos) << text;
}

TEST(Listen, a_port_is_free_again_when_nobody_holds_it) {
    std::uint16_t port = 0;
    {
        const Listener first = listen("127.0.0.1", 0);
        port = first.port();
        ASSERT_NE(port, 0);
    }
    EXPECT_EQ(listen("127.0.0.1", port).port(), port);
}

}  // namespace
}  // namespace sluice::net
