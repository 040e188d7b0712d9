// One program, many databases: a broken one does not stop the others.
#include <fmt/format.h>

#include "sluice/testing/scale.hpp"
#include "world.hpp"

namespace sluice::contract {
namespace {

using migrate::Report;
using migrate::StepState;

/// As many databases as the scale asks for (200 at full scale), all of one kind.
class ManyDatabases : public MigrateContract {
public:
    void SetUp() override {
        MigrateContract::SetUp();
        for (int i = 0; i < testing::scaled(20); ++i) {
            sandboxes_.push_back(driver().make_sandbox());
            opened_.push_back(driver().open(sandboxes_.back()->location(), metrics()));
            registry_.add(std::make_shared<Named>(fmt::format("shop_{:03}", i), opened_.back()));
        }
    }
    void TearDown() override {
        for (const auto& source : opened_)
            wait(source->close());
        opened_.clear();
        sandboxes_.clear();
        MigrateContract::TearDown();
    }

    [[nodiscard]] std::size_t size() const { return opened_.size(); }
    [[nodiscard]] db::DataSource& at(std::size_t index) { return *opened_.at(index); }
    [[nodiscard]] const db::DataSourceRegistry& registry() const { return registry_; }

private:
    std::vector<std::unique_ptr<Sandbox>> sandboxes_;
    std::vector<std::shared_ptr<db::DataSource>> opened_;
    db::DataSourceRegistry registry_;
};

/// A table of the same name is in the way.
Task<void> put_in_the_way(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute("create table b(other integer)");
}

TEST_P(ManyDatabases, one_that_is_broken_is_reported_and_the_others_are_migrated) {
    const std::size_t broken = size() / 2;
    wait(put_in_the_way(at(broken)));
    migrate::Runner runner({two_tables()}, {});

    const std::vector<Report> reports = wait(runner.run_all(registry()));

    ASSERT_EQ(reports.size(), size());
    std::size_t migrated = 0;
    for (std::size_t i = 0; i < reports.size(); ++i) {
        const Report& report = reports[i];
        EXPECT_EQ(report.source, fmt::format("shop_{:03}", i));
        EXPECT_EQ(report.error != nullptr, i == broken) << report.source;
        ASSERT_EQ(report.steps.size(), 2U) << report.source;
        EXPECT_EQ(report.steps[0].state, StepState::applied_now) << report.source;
        migrated += report.steps[1].state == StepState::applied_now ? 1 : 0;
    }
    fmt::print("{}: {} of {} databases migrated, 1 broken\n", driver().name(), migrated, size());
    EXPECT_EQ(migrated, size() - 1);
}

/// Without the pooler, which would keep connections to each of them.
std::vector<const Driver*> databases() {
    std::vector<const Driver*> all = drivers();
    std::erase_if(all, [](const Driver* driver) { return driver->name() == "pgbouncer"; });
    return all;
}

INSTANTIATE_TEST_SUITE_P(Migrate, ManyDatabases, ::testing::ValuesIn(databases()), name_of_driver);

}  // namespace
}  // namespace sluice::contract
