// One reading connection and its thread. It serves one session at a time: whoever the pool lent it to.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "sluice/db/sqlite/internal/engine.hpp"
#include "sluice/db/sqlite/internal/inbox.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::db::sqlite {

using core::SteadyTime;

/// What a shard and a reader share about one borrowing. `statements`, `results` and `error` belong to the shard, except
/// from the moment the reader took the request until it posted the answer.
struct ReadSession {
    enum class Stage : std::uint8_t { idle, queued, taken, withdrawn };

    runtime::Shard* shard = nullptr;
    bool transaction = false;  ///< one snapshot from the first request to the end of the borrowing
    SteadyTime deadline = SteadyTime::max();

    std::atomic<Stage> stage{Stage::idle};
    std::atomic<bool> cancelled{false};  ///< interrupts the statement that runs
    std::vector<Statement> statements;
    std::vector<Result> results;
    std::exception_ptr error;
    std::move_only_function<void(std::exception_ptr)> resume;  // the shard's

    [[nodiscard]] bool move_stage(Stage from, Stage to) noexcept { return stage.compare_exchange_strong(from, to); }
};

using ReadSessionPtr = std::shared_ptr<ReadSession>;  // shared by the borrower, the reader and a message on its way

class Reader {
public:
    /// Opens the connection on the calling thread. `given_back` is called on the reader's thread when a borrowing has
    /// ended.
    Reader(EngineOptions options, std::chrono::milliseconds age_limit, std::function<void(Reader&)> given_back);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// Any thread. The answer is in the session when its `resume` is called on its shard.
    void submit(ReadSessionPtr session);
    /// Ends the borrowing: closes its snapshot, then gives the reader back.
    void end(ReadSessionPtr session);

private:
    struct Item {
        ReadSessionPtr session;  // null: stop
        bool end = false;
    };

    void loop();
    void handle(Item item);
    void serve(ReadSession& session);
    void run_statements(ReadSession& session);
    void close_snapshot() noexcept;
    void expire();
    [[nodiscard]] std::exception_ptr age_error() const;

    const std::string source_;
    const std::chrono::milliseconds age_limit_;
    std::function<void(Reader&)> given_back_;
    Engine engine_;
    Inbox<Item> inbox_;

    // The reader's thread only.
    bool stopping_ = false;
    ReadSessionPtr borrower_;  // while its snapshot is open
    SteadyTime snapshot_ends_ = SteadyTime::max();
    std::vector<std::weak_ptr<ReadSession>> expired_;  // until they end

    std::thread thread_;  // last: it uses all of the above
};

}  // namespace sluice::db::sqlite
