// A small shop with two tenants: every order is one commit, and every page that shows the article sees it.
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "examples/orders/routes.hpp"
#include "examples/orders/shop.hpp"
#include "examples/orders/verify.hpp"
#include "sluice/app/app.hpp"

namespace {

struct Options {
    sluice::app::Settings settings;
    std::vector<std::string> suspended;
    bool verify = false;
    bool quiet = false;
};

int run(const Options& options) {
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
    Options options;
    CLI::App cli("Sluice's example shop: orders and restocks, live on every page");
    cli.add_option("--port", options.settings.port, "Port on 127.0.0.1; 0 takes a free one")->capture_default_str();
    cli.add_option("--admin-port", options.settings.admin_port,
                   "Port of /metrics and /readyz on 127.0.0.1; 0: a free one")
        ->capture_default_str();
    cli.add_option("--data", options.settings.data_dir, "Folder of the tenants' files")->capture_default_str();
    cli.add_option("--web", options.settings.web_dir, "Folder of the built page")->capture_default_str();
    cli.add_option("--shards", options.settings.shards, "Threads that serve; 0: one per core")->capture_default_str();
    cli.add_option("--suspend", options.suspended, "Refuse every request of this tenant; may be given again");
    cli.add_flag("--quiet", options.quiet, "Log warnings and errors only");
    cli.add_flag("--verify-projections", options.verify, "Compare every projection with its rebuild and exit");
    CLI11_PARSE(cli, argc, argv);
    try {
        return run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "orders: {}\n", error.what());
        return 1;
    }
}
