#include "sluice/db/sqlite/internal/group_fsm.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"

namespace sluice::db::sqlite {

GroupFsm::GroupFsm(GroupLimits limits) : limits_(limits) {}

void GroupFsm::submit(const Ask& ask) {
    if (unit_ == ask.unit) {
        pending_ = ask;
    } else if (ask.first) {
        waiting_.push_back(ask);
    } else if (overdue_.erase(ask.unit) > 0) {
        answer(ask.unit, ask.kind == AskKind::rollback ? Verdict::done : Verdict::overdue, true);
    } else {
        // It ended before this ask arrived: only a rollback can cross its own answer.
        answer(ask.unit, ask.kind == AskKind::rollback ? Verdict::done : Verdict::group_lost, true);
    }
}

void GroupFsm::request_group(bool force) {
    (force ? group_wanted_ : probe_wanted_) = true;
}

Action GroupFsm::next(SteadyTime now) {
    if (!answers_.empty()) {
        const Action first = answers_.front();
        answers_.pop_front();
        return first;
    }
    switch (phase_) {
        case Phase::idle:
            return from_rest();
        case Phase::between:
            return next_unit(now);
        case Phase::serve:
            return await_outcome(Phase::serving, ActionKind::run, *unit_);
        case Phase::active:
            return next_of_active(now);
        case Phase::release:
            return await_outcome(Phase::releasing, ActionKind::release, *unit_);
        case Phase::undo:
            return await_outcome(Phase::undoing, ActionKind::undo, *unit_);
        case Phase::commit:
            commit_began_ = now;
            return await_outcome(Phase::committing, ActionKind::commit);
        case Phase::abandon:
            return await_outcome(Phase::abandoning, ActionKind::roll_back);
        case Phase::tell:
            return await_outcome(Phase::telling,
                                 committed_ ? ActionKind::tell_committed : ActionKind::tell_rolled_back);
        default:
            break;
    }
    SLUICE_ASSERT(false, "the outcome of the latest action (phase {}) is missing", static_cast<int>(phase_));
    return {};
}

Action GroupFsm::await_outcome(Phase phase, ActionKind kind, UnitId unit) noexcept {
    phase_ = phase;
    Action action;
    action.kind = kind;
    action.unit = unit;
    return action;
}

Action GroupFsm::from_rest() {
    if (!waiting_.empty() || group_wanted_) {
        group_wanted_ = group_wanted_ || probe_wanted_;
        probe_wanted_ = false;
        began_with_ = waiting_.size();
        return await_outcome(Phase::beginning, ActionKind::begin);
    }
    if (probe_wanted_) {
        probe_wanted_ = false;
        return await_outcome(Phase::probing, ActionKind::probe);
    }
    Action action;
    action.kind = closing_ ? ActionKind::stop : ActionKind::sleep;
    return action;
}

Action GroupFsm::next_unit(SteadyTime now) {
    const bool open = units_ < limits_.units && now - group_began_ <= limits_.age;
    while (open && !waiting_.empty()) {
        const Ask ask = waiting_.front();
        waiting_.pop_front();
        if (ask.kind == AskKind::rollback || now > ask.deadline) {
            answer(ask.unit, ask.kind == AskKind::rollback ? Verdict::done : Verdict::deadline, true);
            return next(now);
        }
        unit_ = ask.unit;
        ask_ = ask;
        unit_began_ = now;
        ++units_;
        linger_until_.reset();
        return await_outcome(Phase::starting, ActionKind::savepoint, ask.unit);
    }
    if (!open || closing_ || units_ >= expected_) return finish(now);
    if (!linger_until_) linger_until_ = now + std::min(limits_.linger_most, commit_time_ / 4);
    if (now >= *linger_until_) return finish(now);
    Action action;
    action.kind = ActionKind::linger;
    action.until = *linger_until_;
    return action;
}

Action GroupFsm::next_of_active(SteadyTime now) {
    if (pending_) {
        ask_ = *pending_;
        pending_.reset();
        const bool late = now > unit_began_ + limits_.hold;
        if (ask_.kind == AskKind::rollback) {
            undo_with(Verdict::done);
        } else if (late && ask_.kind == AskKind::run) {
            undo_with(Verdict::overdue);
        } else if (now > ask_.deadline) {
            undo_with(Verdict::deadline);
        } else {
            phase_ = Phase::serve;
        }
        return next(now);
    }
    const SteadyTime until = std::max(unit_began_ + limits_.hold, last_served_ + limits_.grace);
    if (now >= until) {
        overdue_.insert(*unit_);
        undo_with(std::nullopt);
        return next(now);
    }
    Action action;
    action.kind = ActionKind::attend;
    action.unit = *unit_;
    action.until = until;
    return action;
}

Action GroupFsm::finish(SteadyTime now) {
    linger_until_.reset();
    group_verdict_ = Verdict::done;
    if (released_.empty() && !group_wanted_) {
        phase_ = Phase::abandon;
        return next(now);
    }
    group_wanted_ = false;
    hook_ran_ = true;
    return await_outcome(Phase::hooking, ActionKind::hook);
}

void GroupFsm::answer(UnitId unit, Verdict verdict, bool over) {
    Action action;
    action.kind = ActionKind::answer;
    action.unit = unit;
    action.verdict = verdict;
    action.over = over;
    answers_.push_back(action);
}

void GroupFsm::undo_with(std::optional<Verdict> verdict) noexcept {
    undo_verdict_ = verdict;
    phase_ = Phase::undo;
}

void GroupFsm::abandon_with(Verdict verdict) noexcept {
    group_verdict_ = verdict;
    phase_ = Phase::abandon;
}

void GroupFsm::on(const Outcome& outcome, SteadyTime now) {
    switch (phase_) {
        case Phase::probing:
            group_wanted_ = outcome.step == Step::ok && outcome.wrote;
            phase_ = Phase::idle;
            return;
        case Phase::beginning:
            return on_begin(outcome, now);
        case Phase::starting:
            return on_start(outcome);
        case Phase::serving:
            return on_served(outcome, now);
        case Phase::releasing:
            return on_release(outcome);
        case Phase::undoing:
            return on_undo(outcome);
        case Phase::hooking:
            return on_hook(outcome);
        case Phase::committing:
            return on_commit(outcome, now);
        case Phase::abandoning:
            if (hook_ran_) {
                phase_ = Phase::tell;
            } else {
                end_group(group_verdict_);
            }
            return;
        case Phase::telling:
            return end_group(group_verdict_);
        default:
            SLUICE_ASSERT(false, "an outcome without an action (phase {})", static_cast<int>(phase_));
    }
}

void GroupFsm::on_begin(const Outcome& outcome, SteadyTime now) {
    if (outcome.step == Step::ok) {
        units_ = 0;
        group_began_ = now;
        phase_ = Phase::between;
        return;
    }
    // Those that came while BEGIN waited for another process get a BEGIN of their own.
    for (std::size_t i = 0; i < began_with_; ++i) {
        answer(waiting_.front().unit, Verdict::begin_failed, true);
        waiting_.pop_front();
    }
    group_wanted_ = false;
    phase_ = Phase::idle;
}

void GroupFsm::on_start(const Outcome& outcome) {
    const UnitId unit = *unit_;
    switch (outcome.step) {
        case Step::ok:
            phase_ = Phase::serve;
            return;
        case Step::withdrawn:
            return end_unit();
        case Step::failed:
            answer(unit, Verdict::failed, true);
            return end_unit();
        case Step::gone:
            return lose(unit);
    }
}

void GroupFsm::on_served(const Outcome& outcome, SteadyTime now) {
    const bool committing = ask_.kind == AskKind::commit;
    switch (outcome.step) {
        case Step::withdrawn:
            return undo_with(std::nullopt);
        case Step::gone:
            return lose(*unit_);
        case Step::failed:
            if (committing) return undo_with(Verdict::failed);
            answer(*unit_, Verdict::failed, false);
            break;
        case Step::ok:
            if (committing) {
                phase_ = Phase::release;
                return;
            }
            answer(*unit_, Verdict::done, false);
            break;
    }
    last_served_ = now;
    phase_ = Phase::active;
}

void GroupFsm::on_release(const Outcome& outcome) {
    if (outcome.step == Step::gone) return lose(*unit_);
    if (outcome.step != Step::ok) return undo_with(Verdict::failed);
    if (core::mutant("sqlite_acknowledges_before_commit")) {
        answer(*unit_, Verdict::done, true);
    } else {
        released_.push_back(*unit_);
    }
    end_unit();
}

void GroupFsm::on_undo(const Outcome& outcome) {
    const UnitId unit = *unit_;
    if (undo_verdict_) answer(unit, *undo_verdict_, true);
    // Its next ask may have crossed the decision.
    if (pending_) {
        overdue_.erase(unit);
        answer(unit, pending_->kind == AskKind::rollback ? Verdict::done : Verdict::overdue, true);
    }
    end_unit();
    if (outcome.step == Step::ok) return;
    if (outcome.step == Step::gone) return end_group(Verdict::group_lost);
    abandon_with(Verdict::group_lost);
}

void GroupFsm::on_hook(const Outcome& outcome) {
    if (outcome.step == Step::ok) {
        phase_ = released_.empty() && !outcome.wrote ? Phase::abandon : Phase::commit;
    } else if (outcome.step == Step::gone) {
        group_verdict_ = Verdict::group_lost;
        phase_ = Phase::tell;
    } else {
        abandon_with(Verdict::group_lost);
    }
}

void GroupFsm::on_commit(const Outcome& outcome, SteadyTime now) {
    if (outcome.step == Step::ok) {
        commit_time_ = now - commit_began_;
        committed_ = true;
        phase_ = Phase::tell;
    } else if (outcome.step == Step::gone) {
        group_verdict_ = Verdict::commit_failed;
        phase_ = Phase::tell;
    } else {
        abandon_with(Verdict::commit_failed);
    }
}

void GroupFsm::lose(UnitId culprit) {
    answer(culprit, Verdict::failed, true);
    end_unit();
    end_group(core::mutant("sqlite_acknowledges_lost_groups") ? Verdict::done : Verdict::group_lost);
}

void GroupFsm::end_unit() noexcept {
    unit_.reset();
    pending_.reset();
    phase_ = Phase::between;
}

void GroupFsm::end_group(Verdict verdict) {
    const auto size = static_cast<std::uint32_t>(released_.size());
    for (UnitId unit : released_)
        answer(unit, verdict, true);
    released_.clear();
    expected_ = std::max(size, previous_size_);
    previous_size_ = size;
    hook_ran_ = false;
    committed_ = false;
    phase_ = Phase::idle;
}

}  // namespace sluice::db::sqlite
