// For cases that only a database server can have: another driver is a line in `server_kinds`.
#pragma once

#include <string>

#include "driver.hpp"
#include "servers.hpp"

namespace sluice::contract {

/// What a case needs to know of a kind of server.
struct ServerKind {
    const Driver* driver;
    std::string prefix;               ///< of its lines in the servers' file: "postgres"
    std::string kill_others;          ///< ends every other connection to this database
    std::string own_id;               ///< a query for the connection's number on the server
    std::string sleep;                ///< a statement that takes ten minutes
    std::string sleepers;             ///< a query for how many connections to this database run such a statement
    std::string set_statement_limit;  ///< one second, for the rest of the unit at least
    std::string set_lock_limit;       ///< likewise, for locks
};

[[nodiscard]] std::vector<const ServerKind*> server_kinds();

class ServerContract : public ::testing::TestWithParam<const ServerKind*> {
public:
    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] const ServerKind& kind() const { return *GetParam(); }
    [[nodiscard]] db::DataSource& source() { return *source_; }
    [[nodiscard]] runtime::Shard& shard(std::uint32_t index = 0) { return shards_.at(index); }
    [[nodiscard]] core::Metrics& metrics() { return metrics_; }
    [[nodiscard]] std::string address() const { return sandbox_->location(); }
    /// A further data source, closed with the case.
    [[nodiscard]] db::DataSource& open(const std::string& address);
    [[nodiscard]] db::DataSource& add(std::shared_ptr<db::DataSource> source);

    template <class T>
    T wait(Task<T> task) {
        return runtime::block_on(shard(), std::move(task));
    }
    void execute(const std::string& sql);
    std::int64_t number(const std::string& sql);
    std::string outcome(DbContract::Body body, db::TransactionOptions options = {});
    std::string outcome_on(db::DataSource& source, DbContract::Body body, db::TransactionOptions options = {});

private:
    runtime::ShardGroup shards_{2};
    core::Metrics metrics_;
    std::unique_ptr<Sandbox> sandbox_;
    std::shared_ptr<db::DataSource> source_;
    std::vector<std::shared_ptr<db::DataSource>> others_;
};

}  // namespace sluice::contract
