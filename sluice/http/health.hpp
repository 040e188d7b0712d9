// Whether a program lives and whether it is ready for work, asked by checks that its parts register by name.
//
//     auto health = std::make_shared<http::Health>();
//     health->add("database shop_a", [pool] { return pool->complaint(); });
//     http::add_health_routes(public_routes, health);                   // /healthz, /readyz
//     http::add_admin_routes(admin_routes, health, metrics);            // the same with reasons, and /metrics
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/metrics.hpp"
#include "sluice/http/router.hpp"

namespace sluice::http {

/// Checks are added before the server starts and asked from any shard.
class Health {
public:
    /// Nothing while ready, else the reason for people. Quick, thread-safe, does not wait.
    using Check = std::function<std::optional<std::string>()>;

    void add(std::string name, Check check);
    /// From now on not ready, whatever the checks say. The first step of a drain. Thread-safe.
    void drain() noexcept { draining_.store(true); }

    struct Finding {
        std::string name;
        std::optional<std::string> complaint;
    };
    /// What every check says, in order of registration; "drain" is the last.
    [[nodiscard]] std::vector<Finding> findings() const;
    [[nodiscard]] bool ready() const;

private:
    struct Named {
        std::string name;
        Check check;
    };
    std::vector<Named> checks_;
    std::atomic<bool> draining_{false};
};

/// GET /healthz: 200 as long as requests are answered. GET /readyz: 200 or 503, without reasons.
void add_health_routes(Router& router, std::shared_ptr<const Health> health);
/// As add_health_routes, but /readyz lists every check with its reason; and GET /metrics for Prometheus. For a listener
/// that only operators reach. `metrics` outlives the router.
void add_admin_routes(Router& router, std::shared_ptr<const Health> health, const core::Metrics& metrics);

}  // namespace sluice::http
