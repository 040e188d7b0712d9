// The example server as a process of its own, on a free port and an empty folder.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "sluice/testing/temp_folder.hpp"

namespace sluice::conformance::http {

/// Starts `program`, waits until it listens, ends it with SIGTERM. Throws if it does not come up.
class DemoProcess {
public:
    explicit DemoProcess(const std::string& program);
    ~DemoProcess();
    DemoProcess(const DemoProcess&) = delete;
    DemoProcess& operator=(const DemoProcess&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// Ends it; its exit code.
    int stop();

private:
    testing::TempFolder folder_;
    pid_t child_ = 0;
    int output_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace sluice::conformance::http
