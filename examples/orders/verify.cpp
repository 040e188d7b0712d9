#include "examples/orders/verify.hpp"

#include <chrono>
#include <cstdio>

#include <fmt/format.h>

namespace orders {
namespace {

struct Tally {
    std::uint64_t keys = 0;
    std::uint64_t differing = 0;
};

sluice::db::Task<void> verify_tenant(sluice::app::TenantParts& parts, Tally& tally) {
    const bool caught_up = co_await parts.outbox.drained(std::chrono::seconds(60));
    if (!caught_up) throw std::runtime_error("the projections did not catch up with the log within a minute");
    for (const std::string& name : parts.projections.names()) {
        const sluice::projection::VerifyReport report = co_await parts.projections.verify(name);
        tally.keys += report.keys;
        tally.differing += report.differing;
        for (const std::string& example : report.examples)
            fmt::print("{} {}: {}\n", parts.id.text(), name, example);
    }
}

}  // namespace

int verify_projections(sluice::app::App& shop) {
    Tally tally;
    const bool ran =
        shop.run_offline([&tally](sluice::app::TenantParts& parts) { return verify_tenant(parts, tally); });
    if (!ran) return 1;
    if (tally.differing > 0) {
        fmt::print("projections differ from their rebuild: {} of {} keys\n", tally.differing, tally.keys);
        return 1;
    }
    fmt::print("projections equal their rebuild: {} keys\n", tally.keys);
    return 0;
}

}  // namespace orders
