// What a borrowed connection offers: single statements, or one transaction.
#pragma once

#include <string>

#include "sluice/db/mariadb/internal/exchange.hpp"
#include "sluice/db/pool/internal/pool.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db::mariadb {

/// Outside a transaction: every `run` and `bulk` commits as a whole, or nothing of it.
class PlainConnection final : public Connection {
public:
    PlainConnection(pool::Lease lease, AccessIntent intent) : lease_(std::move(lease)), intent_(intent) {}

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::mariadb; }

private:
    [[nodiscard]] Link& link() const { return static_cast<Link&>(lease_.link()); }

    pool::Lease lease_;
    AccessIntent intent_;
};

/// BEGIN is sent with the first request. After a failed statement only `ROLLBACK TO` is taken, as on PostgreSQL: a body
/// that swallows an error commits nothing. After a serialization failure nothing is: MariaDB has undone the unit, or
/// one statement of it, and the driver the rest.
class ServerTransaction final : public Transaction {
public:
    ServerTransaction(pool::Lease lease, TransactionOptions options);
    /// One that was not ended loses its connection, which rolls it back.
    ~ServerTransaction() override = default;

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::mariadb; }
    Task<std::vector<Result>> commit(std::vector<Statement> last) override;
    Task<void> rollback() noexcept override;

private:
    enum class State : std::uint8_t { fresh, open, failed, undone, over };

    [[nodiscard]] Link& link() const { return static_cast<Link&>(lease_.link()); }
    void check_open() const;
    void check(const std::vector<Statement>& statements) const;
    Task<Reply> send(const std::vector<Statement>& statements);
    Task<void> take_failure(const Reply& reply);
    void end() noexcept;

    pool::Lease lease_;
    TransactionOptions options_;
    std::string source_;
    State state_ = State::fresh;
};

}  // namespace sluice::db::mariadb
