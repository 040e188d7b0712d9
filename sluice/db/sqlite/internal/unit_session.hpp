// One unit as its shard and the writer share it.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/db/sqlite/internal/group_fsm.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::db::sqlite {

/// At most one request is under way. `request` and `answer` belong to the shard, except from the moment the writer
/// moved `stage` from queued to taken until it posted the answer back. `resume`, `over` and `started` belong to the
/// shard always.
struct UnitSession {
    enum class Stage : std::uint8_t { idle, queued, taken, withdrawn };
    struct Request {
        AskKind kind = AskKind::run;
        std::vector<Statement> statements;
        std::optional<BulkInsert> bulk;
    };
    struct Answer {
        std::vector<Result> results;
        std::uint64_t bulk_rows = 0;
        std::exception_ptr error;
        bool over = false;
    };

    UnitId id = 0;
    runtime::Shard* shard = nullptr;
    SteadyTime deadline = SteadyTime::max();

    std::atomic<Stage> stage{Stage::idle};
    Request request;
    Answer answer;

    std::move_only_function<void(std::exception_ptr)> resume;
    bool started = false;  ///< the writer knows of it
    bool over = false;     ///< the writer has forgotten it, or will without another word

    // The writer's own notes.
    SteadyTime asked_at{};
    SteadyTime began_at{};

    /// The writer begins to work on the request. False: its coroutine has given it up.
    [[nodiscard]] bool take() noexcept { return move_stage(Stage::queued, Stage::taken); }
    /// The coroutine gives up a request that nobody works on yet, and with it the unit, which the writer rolls back.
    [[nodiscard]] bool withdraw() noexcept { return move_stage(Stage::queued, Stage::withdrawn); }

private:
    bool move_stage(Stage from, Stage to) noexcept { return stage.compare_exchange_strong(from, to); }
};

using UnitSessionPtr = std::shared_ptr<UnitSession>;  // shared by the transaction, the writer and a message on its way

}  // namespace sluice::db::sqlite
