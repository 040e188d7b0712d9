// The writing thread of one file: performs what GroupFsm decides on its connection and answers the units' shards.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "sluice/core/log.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/db/sqlite/group_hook.hpp"
#include "sluice/db/sqlite/internal/engine.hpp"
#include "sluice/db/sqlite/internal/group_fsm.hpp"
#include "sluice/db/sqlite/internal/inbox.hpp"
#include "sluice/db/sqlite/internal/instruments.hpp"
#include "sluice/db/sqlite/internal/unit_session.hpp"

namespace sluice::db::sqlite {

/// Thread-safe, except where said. Units keep it alive.
class Writer {
public:
    /// Opens the file on the calling thread, then starts its own.
    Writer(Settings settings, core::Logger log, Instruments instruments);
    /// Serves what waits, then joins.
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    [[nodiscard]] UnitSessionPtr new_session(SteadyTime deadline);
    /// Throws `pool_exhausted` when `queue_limit` units wait, `connection` when the source is closed.
    void admit();
    /// Hands the session's request over; its shard's `resume` is called with the answer in place. Admit a first one
    /// before.
    void submit(const UnitSessionPtr& session);
    /// Rolls the session's unit back without an answer.
    void abandon(const UnitSessionPtr& session);

    /// Counts a request whose answer does not wait for a disk; `answered` takes it back. Shards that have one under way
    /// look for its answer instead of sleeping.
    void expect_soon() noexcept { expected_soon_.fetch_add(1, std::memory_order_relaxed); }
    void answered() noexcept { expected_soon_.fetch_sub(1, std::memory_order_relaxed); }
    [[nodiscard]] bool answers_soon() const noexcept { return expected_soon_.load(std::memory_order_relaxed) > 0; }

    void set_hook(std::shared_ptr<GroupHook> hook);
    void request_group(bool force);
    /// No unit is admitted from now on; once the waiting ones are served the thread ends and calls `closed`.
    void close(std::function<void()> closed);
    [[nodiscard]] bool is_closing() const noexcept { return closing_.load(std::memory_order_relaxed); }

private:
    struct Item {
        UnitSessionPtr session;  // null: look at the control fields
        AskKind kind = AskKind::run;
        bool first = false;
    };

    void loop();
    void take_items();
    void apply_control();
    Outcome perform(const Action& action);
    template <class Work>
    Outcome attempt(std::exception_ptr& error, Work work);
    Outcome begin();
    Outcome probe();
    Outcome start_unit(UnitId unit);
    Outcome run_request(UnitId unit);
    Outcome release_unit(UnitId unit);
    Outcome undo_unit();
    Outcome run_hook();
    Outcome commit();
    Outcome roll_back();
    void give_answer(const Action& action);
    void forget(UnitId unit);
    [[nodiscard]] std::exception_ptr error_for(Verdict verdict) const;
    void count_end(const UnitSession& session, Verdict verdict) const;
    void leave_queue(UnitSession& session);
    void flush_answers();
    void arm_stuck_limit();
    void finish();

    const Settings settings_;
    core::Logger log_;
    Instruments instruments_;
    std::unique_ptr<Engine> engine_;  // null once the thread has ended
    std::atomic<UnitId> next_unit_{1};
    std::atomic<std::uint32_t> waiting_{0};
    std::atomic<std::uint32_t> expected_soon_{0};
    std::atomic<bool> closing_{false};
    Inbox<Item> inbox_;

    // Control from other threads, under `control_mutex_`; `control_waiting_` says that there is some.
    std::mutex control_mutex_;
    std::atomic<bool> control_waiting_{false};
    std::optional<std::shared_ptr<GroupHook>> new_hook_;
    std::vector<std::function<void()>> when_hook_set_;
    std::vector<std::function<void()>> when_closed_;
    bool probe_asked_ = false;
    bool group_asked_ = false;
    bool ended_ = false;

    // The writer's thread only.
    SteadyTime now_{};  // read once per step
    GroupFsm fsm_;
    std::shared_ptr<GroupHook> hook_;
    boost::unordered_flat_map<UnitId, UnitSessionPtr> sessions_;
    std::vector<Item> taken_;
    std::vector<UnitSessionPtr> answered_;
    std::exception_ptr group_error_;  // why the latest group failed
    bool commit_unknown_ = false;     // its COMMIT may be found in the WAL after a crash all the same
    std::int64_t seen_version_ = -1;
    std::int64_t group_version_ = -1;

    std::thread thread_;  // last: it uses all of the above
};

}  // namespace sluice::db::sqlite
