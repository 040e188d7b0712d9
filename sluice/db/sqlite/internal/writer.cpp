#include "sluice/db/sqlite/internal/writer.hpp"

#include <future>
#include <utility>

#include <pthread.h>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"

namespace sluice::db::sqlite {
namespace {

/// A unit's next request is usually a few microseconds away; see docs/sqlite.md, "Group commit".
constexpr std::chrono::microseconds kSpin{30};

GroupLimits group_limits(const Settings& settings) {
    GroupLimits limits;
    limits.units = settings.group_limit;
    limits.hold = settings.hold_limit;
    return limits;
}

EngineOptions engine_options(const Settings& settings) {
    EngineOptions options;
    options.source = settings.name;
    options.path = settings.path;
    options.synchronous = settings.synchronous;
    options.busy_timeout = settings.busy_timeout;
    return options;
}

}  // namespace

Writer::Writer(Settings settings, core::Logger log, Instruments instruments)
    : settings_(std::move(settings)),
      log_(std::move(log)),
      instruments_(std::move(instruments)),
      engine_(std::make_unique<Engine>(engine_options(settings_))),
      fsm_(group_limits(settings_)),
      thread_([this] { loop(); }) {
    pthread_setname_np(thread_.native_handle(), "sluice-writer");
}

Writer::~Writer() {
    close([] {});
    thread_.join();
}

UnitSessionPtr Writer::new_session(SteadyTime deadline) {
    auto session = std::make_shared<UnitSession>();
    session->id = next_unit_.fetch_add(1, std::memory_order_relaxed);
    session->shard = runtime::Shard::current();
    session->deadline = deadline;
    SLUICE_ASSERT(session->shard != nullptr, "a unit of {} was opened outside a shard", settings_.name);
    return session;
}

void Writer::admit() {
    if (is_closing()) throw internal::failure(ErrorKind::connection, settings_.name, "the data source is closed");
    const bool room = waiting_.fetch_add(1, std::memory_order_relaxed) < settings_.queue_limit;
    if (room || core::mutant("sqlite_queue_unbounded")) return;
    waiting_.fetch_sub(1, std::memory_order_relaxed);
    instruments_.refused.add();
    throw internal::failure(
        ErrorKind::pool_exhausted, settings_.name,
        fmt::format("{} units wait for the writer already (queue_limit); try later", settings_.queue_limit));
}

void Writer::submit(const UnitSessionPtr& session) {
    Item item;
    item.session = session;
    item.kind = session->request.kind;
    item.first = !std::exchange(session->started, true);
    if (item.first) session->asked_at = std::chrono::steady_clock::now();
    session->stage.store(UnitSession::Stage::queued);
    inbox_.push(std::move(item));
}

void Writer::abandon(const UnitSessionPtr& session) {
    Item item;
    item.session = session;
    item.kind = AskKind::rollback;
    inbox_.push(std::move(item));
}

void Writer::set_hook(std::shared_ptr<GroupHook> hook) {
    SLUICE_ASSERT(std::this_thread::get_id() != thread_.get_id(), "the group hook of {} replaces itself",
                  settings_.name);
    auto set = std::make_shared<std::promise<void>>();
    {
        const std::lock_guard lock(control_mutex_);
        if (ended_) return;
        new_hook_ = std::move(hook);
        when_hook_set_.emplace_back([set] { set->set_value(); });
        control_waiting_ = true;
    }
    inbox_.push({});
    set->get_future().wait();
}

void Writer::request_group(bool force) {
    {
        const std::lock_guard lock(control_mutex_);
        bool& asked = force ? group_asked_ : probe_asked_;
        if (std::exchange(asked, true)) return;
        control_waiting_ = true;
    }
    inbox_.push({});
}

void Writer::close(std::function<void()> closed) {
    closing_ = true;
    {
        const std::lock_guard lock(control_mutex_);
        if (!ended_) {
            when_closed_.push_back(std::exchange(closed, nullptr));
            control_waiting_ = true;
        }
    }
    if (closed) return closed();
    inbox_.push({});
}

void Writer::loop() {
    now_ = std::chrono::steady_clock::now();
    for (;;) {
        take_items();
        const Action action = fsm_.next(now_);
        if (action.kind == ActionKind::answer) {
            give_answer(action);
            continue;
        }
        flush_answers();
        if (action.kind == ActionKind::stop) return finish();
        const bool idle = action.kind == ActionKind::sleep;
        if (idle || action.kind == ActionKind::attend || action.kind == ActionKind::linger) {
            inbox_.wait(action.until, idle ? std::chrono::microseconds(0) : kSpin);
            now_ = std::chrono::steady_clock::now();
            continue;
        }
        const Outcome outcome = perform(action);
        if (outcome.step == Step::gone) instruments_.groups_lost.add();
        now_ = std::chrono::steady_clock::now();
        fsm_.on(outcome, now_);
    }
}

void Writer::take_items() {
    if (inbox_.take(taken_)) {
        for (Item& item : taken_) {
            if (!item.session) continue;
            Ask ask;
            ask.unit = item.session->id;
            ask.kind = item.kind;
            ask.first = item.first;
            ask.deadline = item.session->deadline;
            fsm_.submit(ask);
            if (item.first) sessions_.emplace(ask.unit, std::move(item.session));
        }
        instruments_.waiting.set(static_cast<double>(fsm_.waiting()));
    }
    if (control_waiting_.load(std::memory_order_acquire)) apply_control();
}

void Writer::apply_control() {
    std::vector<std::function<void()>> hook_set;
    {
        const std::lock_guard lock(control_mutex_);
        if (std::exchange(probe_asked_, false)) fsm_.request_group(false);
        if (std::exchange(group_asked_, false)) fsm_.request_group(true);
        if (!when_closed_.empty()) fsm_.close();
        if (!fsm_.at_rest()) return;  // the hook stays as it is until the group has ended
        if (new_hook_) hook_ = std::move(*new_hook_);
        new_hook_.reset();
        hook_set = std::exchange(when_hook_set_, {});
        control_waiting_ = false;
    }
    for (const auto& tell : hook_set)
        tell();
}

Outcome Writer::perform(const Action& action) {
    switch (action.kind) {
        case ActionKind::probe:
            return probe();
        case ActionKind::begin:
            return begin();
        case ActionKind::savepoint:
            return start_unit(action.unit);
        case ActionKind::run:
            return run_request(action.unit);
        case ActionKind::release:
            return release_unit(action.unit);
        case ActionKind::undo:
            return undo_unit();
        case ActionKind::hook:
            return run_hook();
        case ActionKind::commit:
            return commit();
        case ActionKind::roll_back:
            return roll_back();
        case ActionKind::tell_committed:
            if (hook_) hook_->after_commit();
            return {};
        case ActionKind::tell_rolled_back:
            if (hook_) hook_->after_rollback();
            return {};
        default:
            break;
    }
    SLUICE_ASSERT(false, "action {} is not one to perform", static_cast<int>(action.kind));
    return {};
}

}  // namespace sluice::db::sqlite
