// Databases of their own on the private server that tools/servers started, spoken to directly or through the pooler.
#include <unistd.h>

#include <atomic>

#include <fmt/format.h>

#include "driver.hpp"
#include "servers.hpp"
#include "sluice/db/postgres/database.hpp"

namespace sluice::contract {
namespace {

/// `address` with another database at its end.
std::string with_database(const std::string& address, const std::string& database) {
    return address.substr(0, address.find_last_of('/') + 1) + database;
}

/// How the application's role reaches the server.
struct Way {
    std::string driver;          ///< the driver's name
    std::string server;          ///< whose address: "postgres"
    bool keeps_sessions = true;  ///< else statements cannot be prepared
};

const Way kDirectly{.driver = "postgres", .server = "postgres"};
const Way kPooled{.driver = "pgbouncer", .server = "pgbouncer", .keeps_sessions = false};

std::shared_ptr<db::DataSource> open_named(std::string name, const std::string& address, const Way& way,
                                           core::Metrics& metrics) {
    db::postgres::Settings settings;
    settings.name = std::move(name);
    settings.dsn = address;
    if (!way.keeps_sessions) settings.statement_cache = 0;
    return db::postgres::Database::open(settings, {}, metrics);
}

Task<void> run_statement(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

/// Statements of the superuser, from outside of every shard.
class Admin {
public:
    Admin() : shards_(1) { shards_.start(); }
    ~Admin() { shards_.stop(); }
    Admin(const Admin&) = delete;
    Admin& operator=(const Admin&) = delete;

    void execute(const std::string& sql) {
        const auto source = open_named("admin", server_address("postgres.admin"), kDirectly, metrics_);
        runtime::block_on(shards_.at(0), run_statement(*source, sql));
        runtime::block_on(shards_.at(0), source->close());
    }

private:
    runtime::ShardGroup shards_;
    core::Metrics metrics_;
};

class DatabaseSandbox final : public Sandbox {
public:
    explicit DatabaseSandbox(const Way& way) : way_(way) {
        static std::atomic<int> made{0};
        name_ = fmt::format("contract_{}_{}", ::getpid(), ++made);
        Admin().execute(fmt::format("create database {} owner sluice_app", name_));
    }
    ~DatabaseSandbox() override { Admin().execute(fmt::format("drop database {} with (force)", name_)); }

    std::shared_ptr<db::DataSource> open(core::Metrics& metrics) override {
        return open_named("sandbox", location(), way_, metrics);
    }
    [[nodiscard]] std::string location() const override {
        return with_database(server_address(way_.server + ".app"), name_);
    }

private:
    const Way& way_;
    std::string name_;
};

class PostgresDriver final : public Driver {
public:
    explicit PostgresDriver(const Way& way) : way_(way) {}
    [[nodiscard]] std::string name() const override { return way_.driver; }
    [[nodiscard]] const TypeNames& types() const override { return types_; }
    [[nodiscard]] std::unique_ptr<Sandbox> make_sandbox() const override {
        return std::make_unique<DatabaseSandbox>(way_);
    }
    [[nodiscard]] std::shared_ptr<db::DataSource> open(const std::string& location,
                                                       core::Metrics& metrics) const override {
        return open_named("sandbox", location, way_, metrics);
    }

private:
    const Way& way_;
    TypeNames types_{.boolean = "boolean",
                     .integer = "bigint",
                     .real = "double precision",
                     .text = "text",
                     .bytes = "bytea",
                     .timestamp = "timestamptz",
                     .uuid = "uuid",
                     .json = "json",
                     .integers = "bigint[]",
                     .texts = "text[]",
                     .bytes_array = "bytea[]"};
};

}  // namespace

const Driver& postgres_driver() {
    static const PostgresDriver driver(kDirectly);
    return driver;
}

const Driver& pgbouncer_driver() {
    static const PostgresDriver driver(kPooled);
    return driver;
}

}  // namespace sluice::contract
