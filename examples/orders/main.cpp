// A small shop with two tenants: every order is one commit, and every page that shows the article sees it.
#include <cstdio>
#include <exception>
#include <string>

#include <fmt/format.h>

#include "examples/orders/options.hpp"
#include "examples/orders/routes.hpp"
#include "examples/orders/shop.hpp"
#include "examples/orders/verify.hpp"
#include "sluice/app/app.hpp"

namespace {

int run(const orders::Options& options) {
    const auto level = options.quiet ? sluice::core::LogLevel::warn : sluice::core::LogLevel::info;
    sluice::app::App shop(options.settings, sluice::core::Logger::to_stderr(sluice::core::LogFormat::text, level));
    shop.tenant("shop_a", "Alder & Co")
        .tenant("shop_b", "Birch Market")
        .migrations(orders::migrations())
        .queue(orders::stock_queue())
        .project<orders::StockLevel>(orders::stock_queue())
        .on_tenant_start(orders::seed)
        .tenants_are_public();
    for (const std::string& tenant : options.suspended)
        shop.suspend(tenant);
    if (options.verify) return orders::verify_projections(shop);
    orders::add_routes(shop.routes());
    return shop.run();
}

}  // namespace

int main(int argc, char** argv) {
    orders::Options options;
    if (const auto exit_code = orders::parse(argc, argv, options)) return *exit_code;
    try {
        return run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "orders: {}\n", error.what());
        return 1;
    }
}
