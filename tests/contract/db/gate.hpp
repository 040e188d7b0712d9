// A TCP gate between a driver and its server that cuts the line at the worst moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sluice::contract {

/// Listens on a loopback port and passes everything on to `port`. Thread-safe.
class Gate {
public:
    enum class Cut : std::uint8_t {
        none,
        request,  ///< the bytes with the mark do not reach the server, and both ends are closed
        answer,   ///< they do, the server answers, and then both ends are closed: the answer is lost
    };

    explicit Gate(std::uint16_t port);
    ~Gate();
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return own_port_; }
    /// The next bytes from the client that hold `mark` meet their cut, once.
    void cut_at(std::string mark, Cut cut);
    [[nodiscard]] int cuts() const noexcept { return cuts_.load(); }

private:
    void accept_all();
    void pass(int client);
    Cut verdict_on(std::string_view bytes);

    std::uint16_t server_port_;
    std::uint16_t own_port_ = 0;
    int listener_ = -1;
    int stop_ = -1;  // an event that ends every thread
    std::atomic<int> cuts_{0};
    std::mutex mutex_;
    std::string mark_;
    Cut cut_ = Cut::none;
    std::vector<std::thread> lines_;
    std::thread acceptor_;
};

/// `address` (postgres://…@host:port/…) by way of `port`.
[[nodiscard]] std::string by_way_of(const std::string& address, std::uint16_t port);
[[nodiscard]] std::uint16_t port_of(const std::string& address);

}  // namespace sluice::contract
