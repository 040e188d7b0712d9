// A data source whose connections come from a pool: what the drivers of servers have in common.
#pragma once

#include <chrono>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/db/data_source.hpp"
#include "sluice/db/pool/internal/pool.hpp"

namespace sluice::db::pool {

/// `Database` is the driver's port, `Plain` its connection outside a transaction (from a lease and an intent), `Unit`
/// its transaction (from a lease and options).
template <class Database, class Plain, class Unit, Dialect kDialect>
class PooledSource final : public Database {
public:
    PooledSource(std::string name, std::string place, std::shared_ptr<Pool> pool)
        : name_(std::move(name)), place_(std::move(place)), pool_(std::move(pool)) {}

    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    [[nodiscard]] Dialect dialect() const noexcept override { return kDialect; }
    [[nodiscard]] const std::string& place() const noexcept override { return place_; }

    Task<std::unique_ptr<Connection>> acquire(AccessIntent intent, std::source_location borrower) override {
        Lease lease = co_await pool_->acquire(core::SteadyTime::max(), borrower);
        std::unique_ptr<Connection> connection = std::make_unique<Plain>(std::move(lease), intent);
        co_return connection;
    }

    Task<std::unique_ptr<Transaction>> begin(TransactionOptions options, std::source_location borrower) override {
        const bool limited = options.deadline.count() > 0;
        const core::SteadyTime deadline =
            limited ? std::chrono::steady_clock::now() + options.deadline : core::SteadyTime::max();
        Lease lease = co_await pool_->acquire(deadline, borrower);
        std::unique_ptr<Transaction> transaction = std::make_unique<Unit>(std::move(lease), options);
        co_return transaction;
    }

    Task<void> close() override { return pool_->close(); }

private:
    const std::string name_;
    const std::string place_;
    const std::shared_ptr<Pool> pool_;  // shared with what is lent
};

}  // namespace sluice::db::pool
