#include "examples/orders/options.hpp"

#include <CLI/CLI.hpp>

namespace orders {

std::optional<int> parse(int count, char** words, Options& options) {
    CLI::App cli("Sluice's example shop: orders and restocks, live on every page");
    cli.add_option("--port", options.settings.port, "Port on 127.0.0.1; 0 takes a free one")->capture_default_str();
    cli.add_option("--admin-port", options.settings.admin_port,
                   "Port of /metrics and /readyz on 127.0.0.1; 0: a free one")
        ->capture_default_str();
    cli.add_option("--data", options.settings.data_dir, "Folder of the tenants' files")->capture_default_str();
    cli.add_option("--database-url", options.settings.database_url,
                   "PostgreSQL or MariaDB instead of files, one database per tenant: "
                   "postgres://user:password@host/{tenant} or mariadb://user:password@host/{tenant}")
        ->envname("SLUICE_DATABASE_URL");  // where no list of processes shows the password
    cli.add_option("--web", options.settings.web_dir, "Folder of the built page")->capture_default_str();
    cli.add_option("--shards", options.settings.shards, "Threads that serve; 0: one per core")->capture_default_str();
    cli.add_option("--suspend", options.suspended, "Refuse every request of this tenant; may be given again");
    cli.add_flag("--quiet", options.quiet, "Log warnings and errors only");
    cli.add_flag("--verify-projections", options.verify, "Compare every projection with its rebuild and exit");
    try {
        cli.parse(count, words);
    } catch (const CLI::ParseError& error) {
        return cli.exit(error);
    }
    return std::nullopt;
}

}  // namespace orders
