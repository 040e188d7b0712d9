// For the module's tests: a real SQLite file with its outbox, on a shard that runs on the test's own thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/db/sqlite/database.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/testing/log_capture.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::outbox {

/// One shard, one file; `open` may be called again for a second database object on it.
class Testbed {
public:
    using Adjust = std::function<void(db::sqlite::Settings&)>;
    /// `adjust`: what is to differ from the settings of `open`.
    explicit Testbed(Adjust adjust = {}) : adjust_(std::move(adjust)) { database = open(); }
    ~Testbed() {
        stop();
        for (auto& one : opened_)
            run(one->close());
    }

    std::shared_ptr<db::sqlite::Database> open() {
        db::sqlite::Settings settings;
        settings.name = "shop";
        settings.path = path();
        settings.synchronous = db::sqlite::Synchronous::normal;
        if (adjust_) adjust_(settings);
        auto made = db::sqlite::Database::open(settings, log(), metrics);
        opened_.push_back(made);
        migrate::Runner runner({migrations()}, core::Logger());
        run(runner.run(*made));
        return made;
    }
    [[nodiscard]] std::string path() const { return folder.file("shop.sqlite3"); }
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

    /// The first column of the first row.
    std::int64_t number(std::string sql) { return run(first_number(*database, std::move(sql))); }
    void execute(std::string sql) { run(execute_on(*database, std::move(sql))); }
    static runtime::Task<std::int64_t> first_number(db::DataSource& source, std::string sql) {
        std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query(sql);
        co_return result.rows.at(0).get<std::int64_t>(0);
    }
    static runtime::Task<void> execute_on(db::DataSource& source, std::string sql) {
        std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
        co_await connection->execute(sql);
    }

    testing::TempFolder folder;
    core::Metrics metrics;
    std::shared_ptr<testing::CapturingSink> sink = std::make_shared<testing::CapturingSink>();
    runtime::Shard shard{0, core::real_clock()};
    std::shared_ptr<db::sqlite::Database> database;
    std::unique_ptr<Outbox> outbox;

private:
    Adjust adjust_;
    std::vector<std::shared_ptr<db::sqlite::Database>> opened_;
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
