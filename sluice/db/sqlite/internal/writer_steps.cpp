// The single steps of a group, and what units are told.
#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/db/sqlite/internal/writer.hpp"

namespace sluice::db::sqlite {
namespace {

double seconds_since(SteadyTime from) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

/// What the hook may do with the writer's connection.
class HookSession final : public WriterSession {
public:
    HookSession(Engine& engine, std::chrono::milliseconds stuck_limit) : engine_(engine), stuck_limit_(stuck_limit) {}
    Result run(const Statement& statement) override {
        engine_.set_interrupts(std::chrono::steady_clock::now() + stuck_limit_, nullptr);
        return engine_.run(statement);
    }

private:
    Engine& engine_;
    std::chrono::milliseconds stuck_limit_;
};

/// Tells units of one shard, on it.
void resume_units(const std::vector<UnitSessionPtr>& sessions) {
    for (const UnitSessionPtr& session : sessions) {
        session->stage.store(UnitSession::Stage::idle);
        auto resume = std::exchange(session->resume, nullptr);
        if (resume) resume(nullptr);
    }
}

}  // namespace

/// Keeps the error of `work` in `error` and says whether the transaction survived it.
template <class Work>
Outcome Writer::attempt(std::exception_ptr& error, Work work) {
    Outcome outcome;
    try {
        outcome.wrote = work();
    } catch (const std::exception&) {
        error = std::current_exception();
        outcome.step = engine_->in_transaction() ? Step::failed : Step::gone;
    }
    return outcome;
}

void Writer::arm_stuck_limit() {
    engine_->set_interrupts(std::chrono::steady_clock::now() + settings_.stuck_limit, nullptr);
}

Outcome Writer::probe() {
    std::exception_ptr ignored;
    return attempt(ignored, [this] { return hook_ != nullptr && engine_->data_version() != seen_version_; });
}

Outcome Writer::begin() {
    engine_->set_interrupts(SteadyTime::max(), nullptr);
    const Outcome outcome = attempt(group_error_, [this] {
        engine_->control(Control::begin_immediate);
        if (hook_) group_version_ = engine_->data_version();
        return false;
    });
    if (outcome.step == Step::ok) return outcome;
    if (engine_->in_transaction()) roll_back();
    log_.warn("{}: a group of units could not begin: {}", settings_.name, core::describe(group_error_));
    return outcome;
}

Outcome Writer::start_unit(UnitId unit) {
    UnitSession& session = *sessions_.at(unit);
    leave_queue(session);
    if (!session.take()) {
        forget(unit);
        return {Step::withdrawn, false};
    }
    instruments_.unit_wait.observe(std::chrono::duration<double>(session.began_at - session.asked_at).count());
    return attempt(session.answer.error, [this] {
        engine_->control(Control::savepoint);
        return false;
    });
}

Outcome Writer::run_request(UnitId unit) {
    UnitSession& session = *sessions_.at(unit);
    const bool taken = session.stage.load() == UnitSession::Stage::taken || session.take();
    if (!taken) {
        forget(unit);
        return {Step::withdrawn, false};
    }
    const Outcome outcome = attempt(session.answer.error, [&] {
        session.answer.results.reserve(session.request.statements.size());
        for (const Statement& statement : session.request.statements) {
            arm_stuck_limit();
            session.answer.results.push_back(engine_->run(statement));
        }
        if (session.request.bulk) {
            arm_stuck_limit();
            session.answer.bulk_rows = engine_->bulk(*session.request.bulk);
        }
        return false;
    });
    if (outcome.step == Step::gone) group_error_ = session.answer.error;
    return outcome;
}

Outcome Writer::release_unit(UnitId unit) {
    UnitSession& session = *sessions_.at(unit);
    const Outcome outcome = attempt(session.answer.error, [this] {
        if (engine_->deferred_keys_open() && !core::mutant("sqlite_deferred_keys_unchecked")) {
            throw internal::failure(ErrorKind::constraint, settings_.name,
                                    "a deferred foreign key has no parent at the end of the unit");
        }
        engine_->control(Control::release);
        return false;
    });
    if (outcome.step == Step::ok)
        instruments_.unit_hold.observe(std::chrono::duration<double>(now_ - session.began_at).count());
    if (outcome.step == Step::gone) group_error_ = session.answer.error;
    return outcome;
}

Outcome Writer::undo_unit() {
    return attempt(group_error_, [this] {
        engine_->control(Control::rollback_to);
        engine_->control(Control::release);
        return false;
    });
}

Outcome Writer::run_hook() {
    if (!hook_) return {};
    const Outcome outcome = attempt(group_error_, [this] {
        HookSession session(*engine_, settings_.stuck_limit);
        return hook_->before_commit(session);
    });
    if (outcome.step == Step::ok) {
        seen_version_ = group_version_;
    } else {
        log_.error("{}: the group hook failed: {}", settings_.name, core::describe(group_error_));
    }
    return outcome;
}

Outcome Writer::commit() {
    engine_->set_interrupts(SteadyTime::max(), nullptr);
    const SteadyTime began = std::chrono::steady_clock::now();
    commit_unknown_ = false;
    const Outcome outcome = attempt(group_error_, [this] {
        engine_->control(Control::commit);
        return false;
    });
    if (outcome.step == Step::ok) {
        instruments_.commit.observe(seconds_since(began));
        instruments_.group_size.observe(static_cast<double>(fsm_.released()));
        instruments_.groups_committed.add();
        return outcome;
    }
    // The frames may be whole in the WAL although they could not be synchronised: a crash would bring them back.
    commit_unknown_ = (sqlite3_extended_errcode(engine_->handle()) & 0xff) == SQLITE_IOERR;
    seen_version_ = -1;
    log_.error("{}: COMMIT of {} units failed: {}", settings_.name, fsm_.released(), core::describe(group_error_));
    return outcome;
}

Outcome Writer::roll_back() {
    instruments_.groups_rolled_back.add();
    std::exception_ptr error;
    const Outcome outcome = attempt(error, [this] {
        if (engine_->in_transaction()) engine_->control(Control::rollback);
        return false;
    });
    if (error) log_.error("{}: ROLLBACK failed: {}", settings_.name, core::describe(error));
    return outcome;
}

std::exception_ptr Writer::error_for(Verdict verdict) const {
    const auto made = [this](ErrorKind kind, std::string message, std::exception_ptr cause = nullptr) {
        return std::make_exception_ptr(internal::failure(kind, settings_.name, std::move(message), std::move(cause)));
    };
    switch (verdict) {
        case Verdict::overdue:
            return made(ErrorKind::timeout,
                        fmt::format("the unit kept the writer beyond {} ms (hold_limit) and was rolled "
                                    "back; keep slow work out of units",
                                    settings_.hold_limit.count()));
        case Verdict::deadline:
            return made(ErrorKind::timeout, "the unit's deadline passed; it was rolled back");
        case Verdict::begin_failed:
            return group_error_;
        case Verdict::group_lost:
            return made(ErrorKind::serialization, "the unit was rolled back with its group; run it again",
                        group_error_);
        case Verdict::commit_failed:
            break;
        default:
            return nullptr;
    }
    if (commit_unknown_) {
        return made(ErrorKind::outcome_unknown,
                    "COMMIT failed on the disk: rolled back, unless the machine crashes now", group_error_);
    }
    try {
        std::rethrow_exception(group_error_);
    } catch (const Error& error) {
        return made(error.kind(), "COMMIT of the unit's group failed; nothing was committed", group_error_);
    } catch (const std::exception&) {
        return made(ErrorKind::serialization, "COMMIT of the unit's group failed; nothing was committed", group_error_);
    }
}

void Writer::leave_queue(UnitSession& session) {
    session.began_at = now_;
    waiting_.fetch_sub(1, std::memory_order_relaxed);
}

void Writer::forget(UnitId unit) {
    const auto found = sessions_.find(unit);
    if (found == sessions_.end()) return;
    instruments_.units_rolled_back.add();
    sessions_.erase(found);
}

void Writer::give_answer(const Action& action) {
    const auto found = sessions_.find(action.unit);
    if (found == sessions_.end()) return;
    UnitSessionPtr session = found->second;
    const bool awaited = session->stage.load() == UnitSession::Stage::taken || session->take();
    if (action.over) {
        if (session->began_at == SteadyTime{}) leave_queue(*session);
        if (awaited) {
            count_end(*session, action.verdict);
        } else {
            instruments_.units_rolled_back.add();
        }
        sessions_.erase(found);
    }
    if (!awaited) return;
    session->answer.over = action.over;
    if (action.verdict != Verdict::done && action.verdict != Verdict::failed) {
        session->answer.error = error_for(action.verdict);
    }
    answered_.push_back(std::move(session));
}

void Writer::count_end(const UnitSession& session, Verdict verdict) const {
    switch (verdict) {
        case Verdict::done:
            return (session.request.kind == AskKind::commit ? instruments_.units_committed
                                                            : instruments_.units_rolled_back)
                .add();
        case Verdict::overdue:
            return instruments_.units_overdue.add();
        case Verdict::failed:
        case Verdict::deadline:
            return instruments_.units_failed.add();
        default:
            return instruments_.units_lost.add();
    }
}

void Writer::flush_answers() {
    while (!answered_.empty()) {
        runtime::Shard* const shard = answered_.front()->shard;
        const auto elsewhere = [shard](const UnitSessionPtr& session) { return session->shard != shard; };
        std::vector<UnitSessionPtr> mine = std::exchange(answered_, {});
        if (std::ranges::any_of(mine, elsewhere)) {
            std::ranges::copy_if(mine, std::back_inserter(answered_), elsewhere);
            std::erase_if(mine, elsewhere);
        }
        shard->post([mine = std::move(mine)] { resume_units(mine); });
    }
}

void Writer::finish() {
    engine_->checkpoint();
    engine_.reset();
    std::vector<std::function<void()>> tell;
    {
        const std::lock_guard lock(control_mutex_);
        ended_ = true;
        tell = std::exchange(when_closed_, {});
        for (auto& set : when_hook_set_)
            tell.push_back(std::move(set));
        when_hook_set_.clear();
    }
    hook_.reset();
    for (const auto& call : tell)
        call();
}

}  // namespace sluice::db::sqlite
