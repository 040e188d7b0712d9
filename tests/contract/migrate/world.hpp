// What the cases of migrations share: one empty database of each kind and steps that mean the same on all.
#pragma once

#include <source_location>
#include <string>
#include <vector>

#include "../db/driver.hpp"
#include "sluice/migrate/runner.hpp"

namespace sluice::contract {

/// The same statements for every database.
[[nodiscard]] migrate::Migration step_of(int version, const std::vector<std::string>& statements);
[[nodiscard]] std::vector<migrate::Migration> two_tables();

class MigrateContract : public DbContract {
public:
    /// Runs the steps on the case's database.
    migrate::Report run(std::vector<migrate::Migration> steps, migrate::Settings settings = {});
    /// What running them ends in: an error's whole text, or "accepted".
    std::string refusal(std::vector<migrate::Migration> steps, migrate::Settings settings = {});
    /// Whether this table is there.
    bool has_table(const std::string& name);
};

/// `text` as the data source `shop` of docs/errors.md would say it.
[[nodiscard]] inline std::string as_of_shop(const std::string& text) {
    return "shop" + text.substr(text.find(':'));
}

[[nodiscard]] std::string name_of_driver(const ::testing::TestParamInfo<const Driver*>& given);

/// An application's own data source: another name for one that it has.
class Named final : public db::DataSource {
public:
    Named(std::string name, std::shared_ptr<db::DataSource> target)
        : name_(std::move(name)), target_(std::move(target)) {}

    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    [[nodiscard]] db::Dialect dialect() const noexcept override { return target_->dialect(); }
    Task<std::unique_ptr<db::Connection>> acquire(db::AccessIntent intent, std::source_location borrower) override {
        return target_->acquire(intent, borrower);
    }
    Task<std::unique_ptr<db::Transaction>> begin(db::TransactionOptions options,
                                                 std::source_location borrower) override {
        return target_->begin(options, borrower);
    }
    Task<void> close() override { return target_->close(); }

private:
    std::string name_;
    std::shared_ptr<db::DataSource> target_;  // the test's
};

}  // namespace sluice::contract
