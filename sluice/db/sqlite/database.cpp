#include "sluice/db/sqlite/database.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/sqlite/internal/read_transaction.hpp"
#include "sluice/db/sqlite/internal/reader_pool.hpp"
#include "sluice/db/sqlite/internal/unit_transaction.hpp"
#include "sluice/db/sqlite/internal/writer.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::db::sqlite {
namespace {

constexpr std::uint32_t kMostReaders = 64;

void check(const Settings& settings) {
    const auto fail = [&](std::string message) {
        throw db::internal::failure(ErrorKind::config, settings.name, std::move(message));
    };
    if (settings.name.empty()) fail("sqlite: `name` is empty");
    if (settings.path.empty() || settings.path == ":memory:" || settings.path.starts_with("file:")) {
        fail("sqlite: `path` must be a file; a database in memory has no second connection");
    }
    if (settings.readers < 1 || settings.readers > kMostReaders) {
        fail(fmt::format("sqlite: `readers` is {}, not in 1..{}", settings.readers, kMostReaders));
    }
    if (settings.group_limit < 1) fail("sqlite: `group_limit` must be at least 1");
    if (settings.queue_limit < 1) fail("sqlite: `queue_limit` must be at least 1");
    if (settings.busy_timeout.count() < 0) fail("sqlite: `busy_timeout` is negative");
    if (settings.hold_limit.count() < 1) fail("sqlite: `hold_limit` must be at least 1 ms");
    if (settings.stuck_limit.count() < 1) fail("sqlite: `stuck_limit` must be at least 1 ms");
    if (settings.reader_limit.count() < 1) fail("sqlite: `reader_limit` must be at least 1 ms");
}

SteadyTime deadline_of(const TransactionOptions& options) {
    if (options.deadline.count() <= 0) return SteadyTime::max();
    return std::chrono::steady_clock::now() + options.deadline;
}

class FileDatabase final : public Database {
public:
    FileDatabase(Settings settings, core::Logger log, core::Metrics& metrics)
        : settings_(std::move(settings)),
          work_(std::make_shared<OpenWork>()),
          writer_(std::make_shared<Writer>(settings_, std::move(log), Instruments(metrics, settings_.name))),
          readers_(std::make_shared<ReaderPool>(settings_, Instruments(metrics, settings_.name))) {}

    [[nodiscard]] std::string_view name() const noexcept override { return settings_.name; }
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
    [[nodiscard]] const Settings& settings() const noexcept override { return settings_; }

    Task<std::unique_ptr<Connection>> acquire(AccessIntent intent, std::source_location) override {
        OpenWork::Permit permit = enter();
        std::unique_ptr<Connection> connection;
        if (intent == AccessIntent::write) {
            connection = std::make_unique<WriteConnection>(writer_, std::move(permit));
        } else {
            ReaderLease lease = co_await readers_->borrow(false, SteadyTime::max());
            connection = std::make_unique<ReadConnection>(std::move(lease), settings_.name, std::move(permit));
        }
        co_return connection;
    }

    Task<std::unique_ptr<Transaction>> begin(TransactionOptions options, std::source_location) override {
        OpenWork::Permit permit = enter();
        const SteadyTime deadline = deadline_of(options);
        std::unique_ptr<Transaction> transaction;
        if (options.read_only) {
            ReaderLease lease = co_await readers_->borrow(true, deadline);
            transaction = std::make_unique<ReadTransaction>(std::move(lease), settings_.name, std::move(permit));
        } else {
            transaction = std::make_unique<UnitTransaction>(writer_, settings_.name, deadline, std::move(permit));
        }
        co_return transaction;
    }

    Task<void> close() override {
        closing_.store(true);
        auto wait_for_work = [this](runtime::Answer<bool> idle) {
            // std::function wants a copyable callable.
            auto shared = std::make_shared<runtime::Answer<bool>>(std::move(idle));
            work_->when_idle([shared] { (*shared)(true); });
        };
        co_await runtime::await_foreign<bool>(wait_for_work);
        readers_->close();
        auto wait_for_writer = [this](runtime::Answer<bool> closed) {
            auto shared = std::make_shared<runtime::Answer<bool>>(std::move(closed));
            writer_->close([shared] { (*shared)(true); });
        };
        co_await runtime::await_foreign<bool>(wait_for_writer);
    }

    void set_group_hook(std::shared_ptr<GroupHook> hook) override { writer_->set_hook(std::move(hook)); }
    void request_group(bool force) override { writer_->request_group(force); }

private:
    OpenWork::Permit enter() {
        OpenWork::Permit permit(work_);
        if (closing_.load())
            throw db::internal::failure(ErrorKind::connection, settings_.name, "the data source is closed");
        return permit;
    }

    const Settings settings_;
    std::atomic<bool> closing_{false};
    std::shared_ptr<OpenWork> work_;       // shared with what is open
    std::shared_ptr<Writer> writer_;       // shared with open units
    std::shared_ptr<ReaderPool> readers_;  // shared with what is borrowed
};

}  // namespace

std::shared_ptr<Database> Database::open(Settings settings, core::Logger log, core::Metrics& metrics) {
    check(settings);
    return std::make_shared<FileDatabase>(std::move(settings), std::move(log), metrics);
}

}  // namespace sluice::db::sqlite
