// A data source that lets something happen between the requests of its transactions.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/db/data_source.hpp"

namespace sluice::outbox {

/// Is handed the open transaction.
using Between = std::function<db::Task<void>(db::Transaction& unit)>;

/// Calls `between` before each request but the first, and before COMMIT alone.
class UnitWithPauses final : public db::Transaction {
public:
    UnitWithPauses(std::unique_ptr<db::Transaction> unit, Between& between)
        : unit_(std::move(unit)), between_(between) {}

    db::Task<std::vector<db::Result>> run(std::vector<db::Statement> statements) override {
        if (std::exchange(began_, true)) co_await between_(*unit_);
        std::vector<db::Result> results = co_await unit_->run(std::move(statements));
        co_return results;
    }
    db::Task<std::uint64_t> bulk(db::BulkInsert rows) override { return unit_->bulk(std::move(rows)); }
    [[nodiscard]] db::Dialect dialect() const noexcept override { return unit_->dialect(); }
    db::Task<std::vector<db::Result>> commit(std::vector<db::Statement> last) override {
        std::vector<db::Result> results;
        if (!last.empty()) results = co_await unit_->run(std::move(last));
        co_await between_(*unit_);
        std::vector<db::Statement> none;
        co_await unit_->commit(std::move(none));
        co_return results;
    }
    db::Task<void> rollback() noexcept override { return unit_->rollback(); }

private:
    std::unique_ptr<db::Transaction> unit_;
    Between& between_;
    bool began_ = false;
};

class SourceWithPauses final : public db::DataSource {
public:
    SourceWithPauses(std::shared_ptr<db::DataSource> source, Between between)
        : source_(std::move(source)), between_(std::move(between)) {}

    [[nodiscard]] std::string_view name() const noexcept override { return source_->name(); }
    [[nodiscard]] db::Dialect dialect() const noexcept override { return source_->dialect(); }
    db::Task<std::unique_ptr<db::Connection>> acquire(db::AccessIntent intent, std::source_location borrower) override {
        return source_->acquire(intent, borrower);
    }
    db::Task<std::unique_ptr<db::Transaction>> begin(db::TransactionOptions options,
                                                     std::source_location borrower) override {
        std::unique_ptr<db::Transaction> unit = co_await source_->begin(options, borrower);
        std::unique_ptr<db::Transaction> paused = std::make_unique<UnitWithPauses>(std::move(unit), between_);
        co_return paused;
    }
    db::Task<void> close() override { return source_->close(); }

private:
    std::shared_ptr<db::DataSource> source_;
    Between between_;
};

}  // namespace sluice::outbox
