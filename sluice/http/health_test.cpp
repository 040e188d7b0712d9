#include "sluice/http/health.hpp"

#include <gtest/gtest.h>

#include "sluice/runtime/outside.hpp"

namespace sluice::http {
namespace {

class HealthRoutes : public ::testing::Test {
protected:
    void SetUp() override { shards.start(); }
    void TearDown() override { shards.stop(); }

    Response get(const Router& router, const std::string& path) {
        RequestContext context;
        const Match match = router.match("GET", path);
        EXPECT_NE(match.route, nullptr) << path;
        EXPECT_EQ(match.route->tenancy, Tenancy::none);
        return runtime::block_on(shards.at(0), std::get<Handler>(match.route->handler)(context));
    }

    runtime::ShardGroup shards{1};
    std::shared_ptr<Health> health = std::make_shared<Health>();
    core::Metrics metrics;
};

TEST_F(HealthRoutes, the_public_ones_give_no_reasons) {
    std::optional<std::string> complaint;
    health->add("database shop_a", [&complaint] { return complaint; });
    Router router;
    add_health_routes(router, health);
    EXPECT_EQ(get(router, "/healthz").status, 200U);
    EXPECT_EQ(get(router, "/readyz").status, 200U);
    complaint = "no connection";
    EXPECT_EQ(get(router, "/healthz").status, 200U);
    EXPECT_EQ(get(router, "/readyz").status, 503U);
    EXPECT_EQ(get(router, "/readyz").body, R"({"ready":false})");
    EXPECT_EQ(router.match("GET", "/metrics").route, nullptr);
}

TEST_F(HealthRoutes, the_admin_ones_name_every_check) {
    health->add("outbox", [] { return std::optional<std::string>("lane 3 lags"); });
    health->add("hub", [] { return std::optional<std::string>(); });
    Router router;
    add_admin_routes(router, health, metrics);
    EXPECT_EQ(get(router, "/readyz").body,
              R"({"ready":false,"checks":[{"name":"outbox","ready":false,"reason":"lane 3 lags"},)"
              R"({"name":"hub","ready":true},{"name":"drain","ready":true}]})");
}

TEST_F(HealthRoutes, a_drain_makes_the_program_unready_and_leaves_it_alive) {
    Router router;
    add_admin_routes(router, health, metrics);
    EXPECT_TRUE(health->ready());
    health->drain();
    EXPECT_FALSE(health->ready());
    EXPECT_EQ(get(router, "/readyz").status, 503U);
    EXPECT_EQ(get(router, "/healthz").status, 200U);
}

TEST_F(HealthRoutes, metrics_are_rendered_for_prometheus) {
    metrics.counter("sluice_test_total", "Things").add(3);
    Router router;
    add_admin_routes(router, health, metrics);
    const Response response = get(router, "/metrics");
    EXPECT_EQ(response.headers.find("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(response.body.find("sluice_test_total 3\n"), std::string::npos);
}

}  // namespace
}  // namespace sluice::http
