// One transaction: commit on normal return, rollback on exception, cancellation or deadline.
//
//     co_await source.transaction({}, [&](db::UnitOfWork& unit) -> db::Task<void> {
//         co_await unit.execute("insert into orders(id, article) values ($1, $2)", id, article);
//         orders.publish(unit, article, OrderPlaced{…});          // sluice::outbox; written right before COMMIT
//         unit.after_commit([&] { accepted.add(); });
//     });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <typeindex>
#include <typeinfo>

#include "sluice/db/commit_signal.hpp"
#include "sluice/db/companions.hpp"
#include "sluice/db/connection.hpp"

namespace sluice::db {

class DataSource;
class UnitOfWork;

enum class Isolation : std::uint8_t { database_default, read_committed, repeatable_read, serializable };

struct TransactionOptions {
    Isolation isolation = Isolation::database_default;
    bool read_only = false;
    /// From the call, waiting for a connection included; zero means none.
    std::chrono::milliseconds deadline{0};
    /// How often the body runs again, with a fresh unit, after a `serialization` error.
    int retry_serialization = 0;
};

/// What a driver provides for one transaction. Ends by exactly one of `commit` and `rollback`.
class Transaction : public Session {
public:
    /// Runs `last` and COMMIT in one round trip where the driver can. Throws `outcome_unknown` when the connection is
    /// lost after COMMIT was sent; any other error means that nothing was committed. Answers one result per statement.
    virtual Task<std::vector<Result>> commit(std::vector<Statement> last) = 0;
    /// Never throws; also ends a transaction whose connection is broken.
    virtual Task<void> rollback() noexcept = 0;
};

/// State that another module keeps with a unit (the outbox's publish buffer). It follows savepoints and is asked for
/// its statements right before COMMIT. One per type and unit.
class UnitAttachment {
public:
    virtual ~UnitAttachment() = default;
    /// A savepoint opens; `rollback_to_mark` undoes to the latest mark and drops it, `release_mark` only drops it.
    virtual void mark() = 0;
    virtual void rollback_to_mark() = 0;
    virtual void release_mark() = 0;
    /// Statements that COMMIT carries along; called once, last. May throw to fail the unit.
    virtual std::vector<Statement> flush(UnitOfWork& unit) = 0;
    /// The results of the statements that `flush` gave, once the commit is certain and before `after_commit` hooks run.
    virtual void flushed(std::span<const Result> results) noexcept { static_cast<void>(results); }
};

/// Handed to a transaction's body. Not thread-safe; use on its shard, by one coroutine at a time, until the body
/// returns: concurrent or late use is a `query` error, never an autocommit.
class UnitOfWork final : public Session {
public:
    using Hook = std::move_only_function<void()>;

    UnitOfWork(std::string_view source, std::unique_ptr<Transaction> transaction, TransactionOptions options,
               std::shared_ptr<CommitSignal> news = nullptr, std::shared_ptr<Companions> companions = nullptr);
    ~UnitOfWork() override;

    Task<std::vector<Result>> run(std::vector<Statement> statements) override;
    Task<std::uint64_t> bulk(BulkInsert rows) override;
    [[nodiscard]] Dialect dialect() const noexcept override;

    /// Runs `body` inside a savepoint. If it throws, its statements, hooks and attachments' contents are undone and the
    /// exception goes on; the unit stays usable. Nests.
    Task<void> savepoint(std::function<Task<void>(UnitOfWork&)> body);

    /// Runs right before COMMIT, in order; may use the unit and throw to fail it.
    void before_commit(std::function<Task<void>(UnitOfWork&)> hook);
    /// Runs once the commit is certain, on the unit's shard. Must not throw.
    void after_commit(Hook hook);
    /// Runs once it is certain that nothing was committed. Must not throw. On `outcome_unknown` neither kind runs.
    void after_rollback(Hook hook);

    /// The unit's attachment of type T, made on first use from `args`.
    template <class T, class... Args>
    T& attachment(Args&&... args) {
        if (UnitAttachment* found = find_attachment(typeid(T))) return static_cast<T&>(*found);
        return static_cast<T&>(add_attachment(typeid(T), std::make_unique<T>(std::forward<Args>(args)...)));
    }

    /// Where attachments tell that something of theirs was committed; null for a unit that no data source made.
    [[nodiscard]] const std::shared_ptr<CommitSignal>& news() const noexcept;

    /// What modules above keep with the unit's data source; null for a unit that none made.
    [[nodiscard]] const std::shared_ptr<Companions>& companions() const noexcept;

    /// The name of the data source that this unit commits to.
    [[nodiscard]] std::string_view source() const noexcept;

    /// Commits (hooks, flush, COMMIT) or rolls back; called by `DataSource::transaction`, and by tests.
    Task<void> commit();
    Task<void> rollback() noexcept;

private:
    UnitAttachment* find_attachment(std::type_index type) noexcept;
    UnitAttachment& add_attachment(std::type_index type, std::unique_ptr<UnitAttachment> attachment);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::db
