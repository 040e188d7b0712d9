// The shard's side of a reader: a read-only unit with one snapshot, and a connection for single queries.
#pragma once

#include <string>

#include "sluice/db/sqlite/internal/open_work.hpp"
#include "sluice/db/sqlite/internal/reader_pool.hpp"
#include "sluice/db/unit_of_work.hpp"

namespace sluice::db::sqlite {

/// Every request sees the state of the file at the first one. Writes are `read_only` errors.
class ReadTransaction final : public Transaction {
public:
    ReadTransaction(ReaderLease lease, std::string source, OpenWork::Permit permit);

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
    Task<std::vector<Result>> commit(std::vector<Statement> last) override;
    Task<void> rollback() noexcept override;

private:
    OpenWork::Permit permit_;
    std::string source_;
    std::optional<ReaderLease> lease_;
};

/// Every `run` sees one state of the file. Writes are `read_only` errors.
class ReadConnection final : public Connection {
public:
    ReadConnection(ReaderLease lease, std::string source, OpenWork::Permit permit);

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }

private:
    OpenWork::Permit permit_;
    std::string source_;
    ReaderLease lease_;
};

}  // namespace sluice::db::sqlite
