// Which unit the writer serves next, when a group ends, and what each unit is told. Pure: no SQL, thread or clock.
//
//     fsm.submit(ask, now);
//     for (Action action = fsm.next(now); …) fsm.on(perform(action), now);
//
// A group is one transaction: BEGIN; per unit SAVEPOINT, its requests one after another, RELEASE or ROLLBACK TO; the
// hook; COMMIT; then every released unit is told. See docs/sqlite.md, "Group commit".
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_set>
#include <vector>

#include "sluice/core/clock.hpp"

namespace sluice::db::sqlite {

using UnitId = std::uint64_t;
using core::SteadyTime;

enum class AskKind : std::uint8_t { run, commit, rollback };

/// What a unit wants next. A unit has at most one ask under way, apart from a rollback that gives it up.
struct Ask {
    UnitId unit = 0;
    AskKind kind = AskKind::run;
    bool first = false;  ///< opens the unit
    SteadyTime deadline = SteadyTime::max();
};

enum class Verdict : std::uint8_t {
    done,           ///< what was asked for happened; for a commit: it is durable
    failed,         ///< its own error, which the driver holds
    overdue,        ///< it kept the writer beyond the hold limit
    deadline,       ///< its deadline passed before the request was served
    begin_failed,   ///< the group could not begin
    group_lost,     ///< another unit, or the hook, took the group down
    commit_failed,  ///< the group's COMMIT failed
};

enum class ActionKind : std::uint8_t {
    // Nothing to report to `on`:
    sleep,   ///< wait for asks, without limit
    linger,  ///< wait for asks until `until`: the units that came last time are probably on their way
    attend,  ///< wait for the active unit's next ask until `until`
    answer,  ///< tell `unit` its `verdict`; `over`: it has ended
    stop,
    // The outcome goes to `on` before the next `next`:
    probe,      ///< did other processes commit? (`wrote`)
    begin,      ///< BEGIN IMMEDIATE
    savepoint,  ///< of `unit`
    run,        ///< the statements of `unit`'s ask
    release,    ///< of `unit`, after the check for open deferred keys
    undo,       ///< ROLLBACK TO and RELEASE of `unit`
    hook,       ///< before_commit
    commit,
    roll_back,         ///< the whole group
    tell_committed,    ///< the hook
    tell_rolled_back,  ///< the hook
};

struct Action {
    ActionKind kind = ActionKind::sleep;
    UnitId unit = 0;
    Verdict verdict = Verdict::done;
    bool over = false;
    SteadyTime until = SteadyTime::max();
};

enum class Step : std::uint8_t {
    ok,
    failed,     ///< an error; the transaction is still open
    gone,       ///< an error that ended the transaction
    withdrawn,  ///< the unit gave its ask up before it was taken (savepoint and run only)
};

struct Outcome {
    Step step = Step::ok;
    bool wrote = false;  ///< of `hook` and `probe`
};

struct GroupLimits {
    std::uint32_t units = 256;                      ///< per commit
    std::chrono::nanoseconds age{50'000'000};       ///< no unit is taken into a group older than this
    std::chrono::nanoseconds hold{1'000'000'000};   ///< per unit
    std::chrono::nanoseconds grace{50'000'000};     ///< for the COMMIT after a statement that outlasted the hold limit
    std::chrono::nanoseconds linger_most{200'000};  ///< and at most a quarter of the latest COMMIT's time
};

/// Not thread-safe; belongs to the writer's thread.
class GroupFsm {
public:
    explicit GroupFsm(GroupLimits limits);

    void submit(const Ask& ask);
    /// A group without units, if other processes committed; with `force` in any case.
    void request_group(bool force);
    /// Serves what waits, then answers `stop`.
    void close() noexcept { closing_ = true; }

    [[nodiscard]] Action next(SteadyTime now);
    void on(const Outcome& outcome, SteadyTime now);

    /// Units that wait to be started.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
    /// Units of the group in progress that were released.
    [[nodiscard]] std::size_t released() const noexcept { return released_.size(); }
    /// Between groups: no transaction is open.
    [[nodiscard]] bool at_rest() const noexcept { return phase_ == Phase::idle; }

private:
    enum class Phase : std::uint8_t {
        // `next` decides:
        idle,
        between,  // a transaction without an active unit
        serve,    // the active unit has an ask to run
        active,   // the active unit has none
        release,
        undo,
        commit,
        abandon,
        tell,
        // `on` is awaited:
        probing,
        beginning,
        starting,
        serving,
        releasing,
        undoing,
        hooking,
        committing,
        abandoning,
        telling,
    };

    Action await_outcome(Phase phase, ActionKind kind, UnitId unit = 0) noexcept;
    Action from_rest();
    Action next_unit(SteadyTime now);
    Action next_of_active(SteadyTime now);
    Action finish(SteadyTime now);
    void answer(UnitId unit, Verdict verdict, bool over);
    void undo_with(std::optional<Verdict> verdict) noexcept;
    void abandon_with(Verdict verdict) noexcept;
    void end_group(Verdict verdict);

    void on_begin(const Outcome& outcome, SteadyTime now);
    void on_start(const Outcome& outcome);
    void on_served(const Outcome& outcome, SteadyTime now);
    void on_release(const Outcome& outcome);
    void on_undo(const Outcome& outcome);
    void on_hook(const Outcome& outcome);
    void on_commit(const Outcome& outcome, SteadyTime now);
    void lose(UnitId culprit);
    void end_unit() noexcept;

    GroupLimits limits_;
    Phase phase_ = Phase::idle;
    bool closing_ = false;
    bool group_wanted_ = false;
    bool probe_wanted_ = false;
    std::deque<Ask> waiting_;
    std::deque<Action> answers_;
    std::unordered_set<UnitId> overdue_;  // rolled back while they were elsewhere; told at their next ask

    // The group in progress.
    std::size_t began_with_ = 0;
    std::uint32_t units_ = 0;
    SteadyTime group_began_{};
    std::vector<UnitId> released_;
    bool hook_ran_ = false;
    bool committed_ = false;
    Verdict group_verdict_ = Verdict::done;
    std::optional<SteadyTime> linger_until_;
    SteadyTime commit_began_{};

    // The active unit.
    std::optional<UnitId> unit_;
    Ask ask_{};
    std::optional<Ask> pending_;
    std::optional<Verdict> undo_verdict_;
    SteadyTime unit_began_{};
    SteadyTime last_served_{};

    // What earlier groups teach about lingering.
    std::uint32_t expected_ = 0;
    std::uint32_t previous_size_ = 0;
    std::chrono::nanoseconds commit_time_{0};
};

}  // namespace sluice::db::sqlite
