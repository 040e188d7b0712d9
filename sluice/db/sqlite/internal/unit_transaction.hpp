// The shard's side of a unit: a transaction on the writer, and a connection whose every run is a unit of its own.
#pragma once

#include <memory>
#include <string>

#include "sluice/db/sqlite/internal/open_work.hpp"
#include "sluice/db/sqlite/internal/writer.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db::sqlite {

/// A unit. It joins the writer's queue with its first request and costs nothing before.
class UnitTransaction final : public Transaction {
public:
    UnitTransaction(std::shared_ptr<Writer> writer, std::string source, SteadyTime deadline, OpenWork::Permit permit);
    /// One that was not ended is rolled back.
    ~UnitTransaction() override;

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
    Task<std::vector<Result>> commit(std::vector<Statement> last) override;
    Task<void> rollback() noexcept override;

private:
    void check_open() const;

    std::shared_ptr<Writer> writer_;  // shared by the data source and everything open on it
    std::string source_;
    UnitSessionPtr session_;
    OpenWork::Permit permit_;
};

/// Every `run` and `bulk` is a unit: committed, durable and visible when it returns, or nothing of it.
class WriteConnection final : public Connection {
public:
    WriteConnection(std::shared_ptr<Writer> writer, OpenWork::Permit permit);

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }

private:
    std::shared_ptr<Writer> writer_;  // as above
    OpenWork::Permit permit_;
};

}  // namespace sluice::db::sqlite
