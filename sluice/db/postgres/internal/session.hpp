// What a borrowed connection offers: single statements, or one transaction.
#pragma once

#include <string>

#include "sluice/db/pool/internal/pool.hpp"
#include "sluice/db/postgres/internal/link.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db::postgres {

/// Outside a transaction: every `run` and `bulk` commits as a whole, or nothing of it.
class PlainConnection final : public Connection {
public:
    PlainConnection(pool::Lease lease, AccessIntent intent) : lease_(std::move(lease)), intent_(intent) {}

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::postgres; }

private:
    pool::Lease lease_;
    AccessIntent intent_;
};

/// BEGIN travels with the first request, the last statements with COMMIT.
class ServerTransaction final : public Transaction {
public:
    ServerTransaction(pool::Lease lease, TransactionOptions options);
    /// One that was not ended loses its connection, which rolls it back.
    ~ServerTransaction() override = default;

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::postgres; }
    Task<std::vector<Result>> commit(std::vector<Statement> last) override;
    Task<void> rollback() noexcept override;

private:
    [[nodiscard]] Link& link() const { return static_cast<Link&>(lease_.link()); }
    void check_open() const;
    void check(const std::vector<Statement>& statements) const;
    [[noreturn]] void fail_commit(const struct Reply& reply);

    pool::Lease lease_;
    TransactionOptions options_;
    std::string source_;
    bool begun_ = false;
    bool over_ = false;
};

}  // namespace sluice::db::postgres
