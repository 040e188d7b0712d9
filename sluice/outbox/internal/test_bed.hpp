// For the module's tests: a real database of the kind that the run asks for (testing::TestDatabase) with its outbox, on
// a shard that runs on the test's own thread.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sluice/db/sqlite/database.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/internal/test_sql.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/testing/log_capture.hpp"
#include "sluice/testing/test_database.hpp"

namespace sluice::outbox {

/// One shard, one database; `open` may be called again for a second data source on it.
class Testbed {
public:
    using Adjust = std::function<void(db::sqlite::Settings&)>;
    /// `adjust`: what is to differ from SQLite's settings; for tests that are about them.
    explicit Testbed(Adjust adjust = {})
        : Testbed(std::make_shared<runtime::Shard>(0, core::real_clock()), std::move(adjust)) {}
    /// Beside another one, on its `own_shard`: one thread runs only one.
    explicit Testbed(std::shared_ptr<runtime::Shard> shared, Adjust adjust = {})
        : own_shard(std::move(shared)), adjust_(std::move(adjust)) {
        database = open();
    }
    ~Testbed() {
        stop();
        if (::testing::Test::HasFailure()) show_log();
        for (auto& one : opened_)
            run(one->close());
    }

    std::shared_ptr<db::DataSource> open() {
        std::shared_ptr<db::DataSource> made = adjust_ ? open_adjusted() : base.open("shop", metrics, log());
        opened_.push_back(made);
        make_tables(*made);
        return made;
    }
    /// On MariaDB the runner looks at the whole schema around every statement, which takes longer than most tests.
    void make_tables(db::DataSource& source) {
        if (dialect() != db::Dialect::mariadb) {
            migrate::Runner runner({migrations()}, core::Logger());
            run(runner.run(source));
            return;
        }
        if (opened_.size() > 1) return;
        std::string script;
        const std::vector<migrate::Migration> all = migrations();
        for (const migrate::Migration& migration : all)
            for (const std::string& statement : migration.statements.at(db::Dialect::mariadb))
                script += statement + ";\n";
        const testing::ShellAnswer answer = base.shell(script);
        if (answer.status != 0) throw std::runtime_error(answer.output);
    }
    /// For tests of what only SQLite has.
    [[nodiscard]] db::sqlite::Database& sqlite() { return dynamic_cast<db::sqlite::Database&>(*database); }
    [[nodiscard]] db::Dialect dialect() const noexcept { return base.dialect(); }
    core::Logger log() { return {sink, core::LogLevel::debug}; }

    template <class T>
    T run(runtime::Task<T> task) {
        return runtime::run_task(shard, std::move(task));
    }
    void run(runtime::Task<void> task) { runtime::run_task(shard, std::move(task)); }

    [[nodiscard]] Outbox::Builder builder() { return Outbox::builder(database, shard, log(), metrics); }
    void start(Outbox::Builder& builder) { outbox = run(builder.start()); }
    void stop() {
        if (outbox) run(outbox->stop(std::chrono::seconds(5)));
        outbox.reset();
    }
    [[nodiscard]] bool drained(std::chrono::milliseconds limit = std::chrono::seconds(20)) {
        return run(outbox->drained(limit));
    }

    /// One unit of work that publishes, one message per key and payload given.
    void publish(std::string queue, std::vector<std::pair<std::string, std::string>> keys_and_payloads) {
        const auto body = [&](db::UnitOfWork& unit) { return publish_in(unit, queue, keys_and_payloads); };
        run(database->transaction({}, body));
    }
    static runtime::Task<void> publish_in(db::UnitOfWork& unit, std::string queue,
                                          std::vector<std::pair<std::string, std::string>> keys_and_payloads) {
        for (const auto& [key, payload] : keys_and_payloads)
            outbox::publish(unit, outgoing(queue, key, payload));
        co_return;
    }
    static Outgoing outgoing(std::string queue, std::string key, std::string payload) {
        Outgoing message;
        message.queue = std::move(queue);
        message.key = std::move(key);
        message.type = "Noted";
        message.payload = std::move(payload);
        return message;
    }

    /// The first column of the first row; what is true is 1.
    std::int64_t number(std::string sql) { return run(first_number(*database, std::move(sql))); }
    void execute(std::string sql) { run(execute_on(*database, std::move(sql))); }
    static runtime::Task<std::int64_t> first_number(db::DataSource& source, std::string sql) {
        std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query(sql);
        co_return as_number(result.rows.at(0).at(0)).value();
    }
    /// A table whose rows number themselves in the column `n`, unless it is there.
    void make_list(const std::string& name, const std::string& columns) { execute(sql_text.list(name, columns)); }
    /// From now on every `event`, as in "after update on sluice_cursor", does `action` as well where `when` holds.
    void make_trigger(const std::string& name, const std::string& event, const std::string& when,
                      const std::string& action) {
        for (const std::string& statement : sql_text.trigger(name, event, when, action))
            execute(statement);
    }
    /// From now on every `event`, as in "delete on sluice_tick", fails with `text`, until the trigger is dropped.
    void make_failing(const std::string& name, const std::string& event, const std::string& text,
                      const std::string& when = {}) {
        make_trigger(name, "before " + event, when, sql_text.fail(text));
    }
    void drop_trigger(const std::string& name) { execute(sql_text.drop_trigger(name)); }
    static runtime::Task<void> execute_on(db::DataSource& source, std::string sql) {
        std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
        co_await connection->execute(sql);
    }

    testing::TestDatabase base;
    TestSql sql_text{base.dialect()};
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> sink = std::make_shared<testing::CapturingSink>();
    std::shared_ptr<runtime::Shard> own_shard;  // shared by beds beside each other
    runtime::Shard& shard = *own_shard;
    std::shared_ptr<db::DataSource> database;
    std::unique_ptr<Outbox> outbox;

private:
    /// What an operator would have read while the test failed.
    void show_log() const {
        for (const testing::LogLine& line : sink->lines())
            std::cerr << line.logger << ": " << line.text << "\n";
    }

    std::shared_ptr<db::DataSource> open_adjusted() {
        db::sqlite::Settings settings;
        settings.name = "shop";
        settings.path = base.path();
        settings.synchronous = db::sqlite::Synchronous::normal;
        adjust_(settings);
        return db::sqlite::Database::open(settings, log(), metrics);
    }

    Adjust adjust_;
    std::vector<std::shared_ptr<db::DataSource>> opened_;
};

/// Handlers that remember what they saw.
struct Seen {
    std::vector<Message> messages;
    std::vector<Batch> batches;

    [[nodiscard]] std::vector<std::string> payloads() const {
        std::vector<std::string> all;
        for (const Message& message : messages)
            all.push_back(message.payload);
        return all;
    }
    [[nodiscard]] std::vector<std::string> payloads_of(const std::string& key) const {
        std::vector<std::string> all;
        for (const Message& message : messages)
            if (message.key == key) all.push_back(message.payload);
        return all;
    }
    TransactionalHandler handler() {
        return [this](db::UnitOfWork&, const Message& message) { return take(message); };
    }
    BatchHandler batch_handler() {
        return [this](db::UnitOfWork&, const Batch& batch) { return take_batch(batch); };
    }

private:
    db::Task<Outcome> take(const Message& message) {
        messages.push_back(message);
        co_return Outcome::ok();
    }
    db::Task<void> take_batch(const Batch& batch) {
        batches.push_back(batch);
        for (const Message& message : batch.messages)
            messages.push_back(message);
        co_return;
    }
};

}  // namespace sluice::outbox
