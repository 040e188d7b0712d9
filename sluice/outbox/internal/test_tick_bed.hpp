// For tests of numbering on servers: a database of its own with the outbox's tables, sequencers that are asked for
// one tick at a time, and units that are held open between their insert and their end.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/internal/sequencing.hpp"
#include "sluice/outbox/internal/test_sql.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"
#include "sluice/testing/log_capture.hpp"
#include "sluice/testing/test_database.hpp"

namespace sluice::outbox {

/// The kinds of servers that this build has drivers for, and the name of a case of one.
[[nodiscard]] std::vector<db::Dialect> servers();
[[nodiscard]] std::string name_of_server(const ::testing::TestParamInfo<db::Dialect>& info);

/// "1", "2", … as payloads.
[[nodiscard]] std::vector<std::string> counted(int from, int to);

/// A unit of work that a test drives statement by statement.
class HeldUnit {
public:
    explicit HeldUnit(std::unique_ptr<db::Transaction> transaction) : transaction_(std::move(transaction)) {}
    db::Task<void> run(std::string sql);
    db::Task<void> commit();
    db::Task<void> rollback();

private:
    std::unique_ptr<db::Transaction> transaction_;
};

/// One shard on the test's own thread; the queue `orders` with `lanes` lanes has number 1.
class TickBed {
public:
    explicit TickBed(db::Dialect dialect, std::uint16_t lanes = 1);
    ~TickBed();
    TickBed(const TickBed&) = delete;
    TickBed& operator=(const TickBed&) = delete;

    /// A sequencer as a process would have it; its ticks go to `into`.
    struct Process {
        std::vector<Numbered> ticks;
        std::unique_ptr<Sequencing> sequencing;

        /// Payloads in the order of their positions, those that were handed over.
        [[nodiscard]] std::vector<std::string> payloads() const;
    };
    /// Through another source, if one is given: a test may stand between.
    [[nodiscard]] std::unique_ptr<Process> process(Settings settings = {},
                                                   std::shared_ptr<db::DataSource> through = nullptr);
    std::uint64_t tick(Process& process) { return run(process.sequencing->tick()); }
    /// Ticks until one finds nothing; answers how many did.
    int tick_all(Process& process);

    [[nodiscard]] std::unique_ptr<HeldUnit> open_unit();
    void insert(const std::string& payload) { execute(insert_sql(payload)); }
    [[nodiscard]] std::string insert_sql(const std::string& payload) const;
    void execute(std::string sql);
    [[nodiscard]] std::int64_t number(std::string sql);
    /// Every payload in ledger order, as it is read back.
    [[nodiscard]] std::vector<std::string> log();

    template <class T>
    T run(runtime::Task<T> task) {
        return runtime::run_task(shard, std::move(task));
    }
    void run(runtime::Task<void> task) { runtime::run_task(shard, std::move(task)); }
    [[nodiscard]] Outbox::Builder builder() { return Outbox::builder(source, shard, logger(), metrics); }
    [[nodiscard]] core::Logger logger() { return {sink, core::LogLevel::debug}; }

    testing::TestDatabase base;
    TestSql sql_text{base.dialect()};
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> sink = std::make_shared<testing::CapturingSink>();
    runtime::Shard shard{0, core::real_clock()};
    std::shared_ptr<db::DataSource> source;
};

}  // namespace sluice::outbox
