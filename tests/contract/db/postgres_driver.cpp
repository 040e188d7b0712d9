// Databases of their own on the private server that tools/servers started.
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

std::shared_ptr<db::DataSource> open_named(std::string name, const std::string& address, core::Metrics& metrics) {
    db::postgres::Settings settings;
    settings.name = std::move(name);
    settings.dsn = address;
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
        const auto source = open_named("admin", server_address("postgres.admin"), metrics_);
        runtime::block_on(shards_.at(0), run_statement(*source, sql));
        runtime::block_on(shards_.at(0), source->close());
    }

private:
    runtime::ShardGroup shards_;
    core::Metrics metrics_;
};

class DatabaseSandbox final : public Sandbox {
public:
    DatabaseSandbox() {
        static std::atomic<int> made{0};
        name_ = fmt::format("contract_{}_{}", ::getpid(), ++made);
        Admin().execute(fmt::format("create database {} owner sluice_app", name_));
    }
    ~DatabaseSandbox() override { Admin().execute(fmt::format("drop database {} with (force)", name_)); }

    std::shared_ptr<db::DataSource> open(core::Metrics& metrics) override {
        return open_named("sandbox", location(), metrics);
    }
    [[nodiscard]] std::string location() const override { return with_database(server_address("postgres.app"), name_); }

private:
    std::string name_;
};

class PostgresDriver final : public Driver {
public:
    [[nodiscard]] std::string name() const override { return "postgres"; }
    [[nodiscard]] const TypeNames& types() const override { return types_; }
    [[nodiscard]] std::unique_ptr<Sandbox> make_sandbox() const override { return std::make_unique<DatabaseSandbox>(); }
    [[nodiscard]] std::shared_ptr<db::DataSource> open(const std::string& location,
                                                       core::Metrics& metrics) const override {
        return open_named("sandbox", location, metrics);
    }

private:
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
    static const PostgresDriver driver;
    return driver;
}

}  // namespace sluice::contract
