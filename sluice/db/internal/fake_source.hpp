// A data source that writes down what it is asked and fails where a test says so. Only tests include this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/post.hpp>

#include "sluice/db/data_source.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::db::internal {

class FakeSource final : public DataSource {
public:
    [[nodiscard]] std::string_view name() const noexcept override { return "fake"; }
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
    Task<std::unique_ptr<Connection>> acquire(AccessIntent, std::source_location) override { co_return nullptr; }
    Task<std::unique_ptr<Transaction>> begin(TransactionOptions, std::source_location borrower) override {
        ++begun;
        begun_at = borrower.line();
        log += "begin ";
        std::unique_ptr<Transaction> transaction = std::make_unique<FakeTransaction>(*this);
        co_return transaction;
    }
    Task<void> close() override { co_return; }

    /// Waits until a statement is held.
    Task<void> until_held() {
        while (!held_)
            co_await boost::asio::post(runtime::use_task);
    }
    /// Lets the statement that is held go on.
    void let_go() {
        hold_statements = false;
        if (held_) std::exchange(held_, nullptr)(true);
    }

    std::string log;  ///< "begin [insert] commit[last] "
    int begun = 0;
    std::uint_least32_t begun_at = 0;  ///< the line that asked for the latest
    std::optional<ErrorKind> commit_failure;
    int failing_commits = 1'000;
    bool hold_statements = false;
    std::size_t rows = 0;  ///< that every statement answers

private:
    class FakeTransaction final : public Transaction {
    public:
        explicit FakeTransaction(FakeSource& source) : source_(source) {}
        Task<std::vector<Result>> run(std::vector<Statement> statements) override {
            source_.log += "[" + listed(statements) + "] ";
            if (source_.hold_statements) {
                auto hold = [this](runtime::Answer<bool> answer) { source_.held_ = std::move(answer); };
                co_await runtime::await_foreign<bool>(hold);
            }
            co_return source_.results(statements.size());
        }
        Task<std::uint64_t> bulk(BulkInsert bulk) override {
            source_.log += "bulk ";
            co_return bulk.rows.size();
        }
        [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
        Task<std::vector<Result>> commit(std::vector<Statement> last) override {
            source_.log += "commit[" + listed(last) + "] ";
            if (source_.commit_failure && source_.failing_commits-- > 0) {
                throw failure(*source_.commit_failure, "fake", "planned");
            }
            co_return source_.results(last.size());
        }
        Task<void> rollback() noexcept override {
            source_.log += "rollback ";
            co_return;
        }

    private:
        static std::string listed(const std::vector<Statement>& statements) {
            std::string text;
            for (const Statement& statement : statements)
                text += (text.empty() ? "" : ", ") + statement.sql;
            return text;
        }
        FakeSource& source_;
    };

    std::vector<Result> results(std::size_t count) const {
        Result result;
        result.affected = 1;
        for (std::size_t i = 0; i < rows; ++i)
            result.rows.emplace_back(result.columns, std::vector<Value>());
        return std::vector<Result>(count, result);
    }

    runtime::Answer<bool> held_;
};

}  // namespace sluice::db::internal
