// Databases of their own on the private MariaDB server that tools/servers started.
#include <unistd.h>

#include <atomic>

#include <fmt/format.h>

#include "driver.hpp"
#include "servers.hpp"
#include "sluice/db/mariadb/database.hpp"

namespace sluice::contract {
namespace {

std::shared_ptr<db::DataSource> open_mariadb(std::string name, const std::string& address, core::Metrics& metrics) {
    db::mariadb::Settings settings;
    settings.name = std::move(name);
    settings.dsn = address;
    return db::mariadb::Database::open(settings, {}, metrics);
}

Task<void> run_each(db::DataSource& source, std::vector<std::string> statements) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    for (std::string& sql : statements)
        co_await connection->execute(std::move(sql));
}

/// Statements of the administrator, from outside of every shard.
void run_as_admin(std::vector<std::string> statements) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    {
        const auto source = open_mariadb("admin", server_address("mariadb.admin"), metrics);
        runtime::block_on(shards.at(0), run_each(*source, std::move(statements)));
        runtime::block_on(shards.at(0), source->close());
    }
    shards.stop();
}

class SchemaSandbox final : public Sandbox {
public:
    SchemaSandbox() {
        static std::atomic<int> made{0};
        name_ = fmt::format("contract_{}_{}", ::getpid(), ++made);
        // What begins with its name too: an account learns only of databases it has rights to whether they exist.
        run_as_admin({fmt::format("create database {}", name_),
                      fmt::format("grant all privileges on \"{}%\".* to sluice_app@'127.0.0.1'", name_)});
    }
    ~SchemaSandbox() override {
        run_as_admin({fmt::format("revoke all privileges on \"{}%\".* from sluice_app@'127.0.0.1'", name_),
                      fmt::format("drop database {}", name_)});
    }

    std::shared_ptr<db::DataSource> open(core::Metrics& metrics) override {
        return open_mariadb("sandbox", location(), metrics);
    }
    [[nodiscard]] std::string location() const override {
        const std::string address = server_address("mariadb.app");
        return address.substr(0, address.find_last_of('/') + 1) + name_;
    }

private:
    std::string name_;
};

class MariadbDriver final : public Driver {
public:
    [[nodiscard]] std::string name() const override { return "mariadb"; }
    [[nodiscard]] const TypeNames& types() const override { return types_; }
    [[nodiscard]] std::unique_ptr<Sandbox> make_sandbox() const override { return std::make_unique<SchemaSandbox>(); }
    [[nodiscard]] std::shared_ptr<db::DataSource> open(const std::string& location,
                                                       core::Metrics& metrics) const override {
        return open_mariadb("sandbox", location, metrics);
    }

private:
    TypeNames types_{.boolean = "boolean",
                     .integer = "bigint",
                     .real = "double",
                     .text = "longtext",
                     .bytes = "longblob",
                     .timestamp = "datetime(6)",
                     .uuid = "uuid",
                     .json = "json",
                     .integers = "json",
                     .texts = "json",
                     .bytes_array = "json"};
};

}  // namespace

const Driver& mariadb_driver() {
    static const MariadbDriver driver;
    return driver;
}

}  // namespace sluice::contract
