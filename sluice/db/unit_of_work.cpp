#include "sluice/db/unit_of_work.hpp"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/asio/this_coro.hpp>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::db {
namespace {

struct SavepointMark {
    std::string name;
    bool sent = false;         // the database knows of it
    std::size_t position = 0;  // of its statement in the prefix, while it was not sent
    std::size_t before_commit = 0;
    std::size_t after_commit = 0;
    std::size_t after_rollback = 0;
};

struct Attached {
    std::type_index type;
    std::unique_ptr<UnitAttachment> attachment;
};

template <class Container>
void shrink_to(Container& container, std::size_t size) {
    container.erase(container.begin() + static_cast<std::ptrdiff_t>(size), container.end());
}

bool is_outcome_unknown(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const Error& failure) {
        return failure.kind() == ErrorKind::outcome_unknown;
    } catch (...) {
        return false;
    }
}

}  // namespace

struct UnitOfWork::State {
    [[noreturn]] void fail(std::string message) const {
        throw internal::failure(ErrorKind::query, source, std::move(message));
    }
    void check_open() const {
        if (ended && !core::mutant("unit_usable_after_its_end")) fail("the unit of work has ended; nothing was run");
    }
    void check_usable() const {
        check_open();
        if (busy) fail("the unit of work is in use by another coroutine; use it from one at a time");
    }

    /// Savepoint statements travel with the next request, so a savepoint costs no round trip of its own.
    std::vector<Statement> with_prefix(std::vector<Statement> statements) {
        if (prefix.empty()) return statements;
        std::vector<Statement> all = std::exchange(prefix, {});
        for (SavepointMark& mark : marks)
            mark.sent = true;
        all.insert(all.end(), std::make_move_iterator(statements.begin()), std::make_move_iterator(statements.end()));
        return all;
    }

    void open_savepoint() {
        SavepointMark mark;
        mark.name = fmt::format("sluice_savepoint_{}", ++savepoints);
        mark.position = prefix.size();
        mark.before_commit = before_commit.size();
        mark.after_commit = after_commit.size();
        mark.after_rollback = after_rollback.size();
        prefix.push_back(statement("SAVEPOINT " + mark.name));
        marks.push_back(std::move(mark));
        for (Attached& each : attachments)
            each.attachment->mark();
    }
    void release_savepoint() {
        const SavepointMark mark = take_mark();
        if (mark.sent) {
            prefix.push_back(statement("RELEASE SAVEPOINT " + mark.name));
        } else {
            shrink_to(prefix, mark.position);
        }
        for (Attached& each : attachments)
            each.attachment->release_mark();
    }
    void roll_back_savepoint() {
        const SavepointMark mark = take_mark();
        if (mark.sent) {
            prefix.push_back(statement("ROLLBACK TO SAVEPOINT " + mark.name));
            prefix.push_back(statement("RELEASE SAVEPOINT " + mark.name));
        } else {
            shrink_to(prefix, mark.position);
        }
        shrink_to(before_commit, mark.before_commit);
        if (!core::mutant("savepoint_keeps_after_commit")) shrink_to(after_commit, mark.after_commit);
        shrink_to(after_rollback, mark.after_rollback);
        for (Attached& each : attachments)
            each.attachment->rollback_to_mark();
    }
    SavepointMark take_mark() {
        SavepointMark mark = std::move(marks.back());
        marks.pop_back();
        return mark;
    }

    void tell_committed(std::span<const Result> results, const std::vector<std::size_t>& flushed) {
        std::size_t from = 0;
        for (std::size_t i = 0; i < flushed.size(); ++i) {
            attachments[i].attachment->flushed(results.subspan(from, flushed[i]));
            from += flushed[i];
        }
        for (Hook& hook : std::exchange(after_commit, {}))
            hook();
    }
    void tell_rolled_back() {
        for (Hook& hook : std::exchange(after_rollback, {}))
            hook();
    }

    std::string source;
    std::unique_ptr<Transaction> transaction;
    TransactionOptions options;
    std::shared_ptr<CommitSignal> news;
    std::shared_ptr<Companions> companions;  // shared with the data source
    bool ended = false;
    bool busy = false;                 // a request is under way
    runtime::Answer<bool> when_free;   // a rollback waits for that request
    int savepoints = 0;                // opened so far; numbers their names
    std::vector<SavepointMark> marks;  // of the open ones
    std::vector<Statement> prefix;
    std::vector<Attached> attachments;
    std::vector<std::function<Task<void>(UnitOfWork&)>> before_commit;
    std::vector<Hook> after_commit;
    std::vector<Hook> after_rollback;
};

namespace {

/// Marks a unit's request as under way.
template <class State>
class BusyScope {
public:
    explicit BusyScope(State& state) : state_(state) { state_.busy = true; }
    ~BusyScope() {
        state_.busy = false;
        if (state_.when_free) std::exchange(state_.when_free, nullptr)(true);
    }
    BusyScope(const BusyScope&) = delete;
    BusyScope& operator=(const BusyScope&) = delete;

private:
    State& state_;
};

}  // namespace

UnitOfWork::UnitOfWork(std::string_view source, std::unique_ptr<Transaction> transaction, TransactionOptions options,
                       std::shared_ptr<CommitSignal> news, std::shared_ptr<Companions> companions)
    : state_(std::make_unique<State>()) {
    state_->source = source;
    state_->transaction = std::move(transaction);
    state_->options = options;
    state_->news = std::move(news);
    state_->companions = std::move(companions);
}

UnitOfWork::~UnitOfWork() = default;

Task<std::vector<Result>> UnitOfWork::run(std::vector<Statement> statements) {
    state_->check_usable();
    const BusyScope busy(*state_);
    const std::size_t ours = state_->prefix.size();
    std::vector<Statement> all = state_->with_prefix(std::move(statements));
    if (all.empty()) co_return std::vector<Result>();
    std::vector<Result> results = co_await state_->transaction->run(std::move(all));
    results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(ours));
    co_return results;
}

Task<std::uint64_t> UnitOfWork::bulk(BulkInsert rows) {
    state_->check_usable();
    const BusyScope busy(*state_);
    std::vector<Statement> first = state_->with_prefix({});
    if (!first.empty()) co_await state_->transaction->run(std::move(first));
    const std::uint64_t written = co_await state_->transaction->bulk(std::move(rows));
    co_return written;
}

Dialect UnitOfWork::dialect() const noexcept {
    return state_->transaction->dialect();
}

Task<void> UnitOfWork::savepoint(std::function<Task<void>(UnitOfWork&)> body) {
    state_->check_usable();
    state_->open_savepoint();
    std::exception_ptr error;
    try {
        co_await body(*this);
    } catch (...) {  // whatever the body throws goes on to the caller
        error = std::current_exception();
    }
    if (!error) {
        state_->release_savepoint();
        co_return;
    }
    state_->roll_back_savepoint();
    std::rethrow_exception(error);
}

void UnitOfWork::before_commit(std::function<Task<void>(UnitOfWork&)> hook) {
    state_->check_open();
    state_->before_commit.push_back(std::move(hook));
}

void UnitOfWork::after_commit(Hook hook) {
    state_->check_open();
    state_->after_commit.push_back(std::move(hook));
}

void UnitOfWork::after_rollback(Hook hook) {
    state_->check_open();
    state_->after_rollback.push_back(std::move(hook));
}

const std::shared_ptr<CommitSignal>& UnitOfWork::news() const noexcept {
    return state_->news;
}

const std::shared_ptr<Companions>& UnitOfWork::companions() const noexcept {
    return state_->companions;
}

std::string_view UnitOfWork::source() const noexcept {
    return state_->source;
}

UnitAttachment* UnitOfWork::find_attachment(std::type_index type) noexcept {
    for (Attached& each : state_->attachments) {
        if (each.type == type) return each.attachment.get();
    }
    return nullptr;
}

UnitAttachment& UnitOfWork::add_attachment(std::type_index type, std::unique_ptr<UnitAttachment> attachment) {
    state_->check_open();
    // It joins the savepoints that are open already.
    for (std::size_t i = 0; i < state_->marks.size(); ++i)
        attachment->mark();
    state_->attachments.push_back({type, std::move(attachment)});
    return *state_->attachments.back().attachment;
}

Task<void> UnitOfWork::commit() {
    state_->check_usable();
    for (std::size_t i = 0; i < state_->before_commit.size(); ++i) {  // by index: a hook may add another
        const auto hook = state_->before_commit[i];
        co_await hook(*this);
    }
    std::vector<Statement> last;
    std::vector<std::size_t> flushed;
    for (std::size_t i = 0; i < state_->attachments.size(); ++i) {
        std::vector<Statement> more = state_->attachments[i].attachment->flush(*this);
        flushed.push_back(more.size());
        last.insert(last.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    const std::size_t ours = state_->prefix.size();
    last = state_->with_prefix(std::move(last));
    state_->ended = true;
    std::vector<Result> results;
    std::exception_ptr error;
    try {
        results = co_await state_->transaction->commit(std::move(last));
    } catch (...) {  // rethrown below, once the hooks know
        error = std::current_exception();
    }
    if (!error) {
        state_->tell_committed(std::span<const Result>(results).subspan(ours), flushed);
        co_return;
    }
    const bool unknown = is_outcome_unknown(error) && !core::mutant("unknown_outcome_runs_hooks");
    if (!unknown) state_->tell_rolled_back();
    std::rethrow_exception(error);
}

Task<void> UnitOfWork::rollback() noexcept {
    if (std::exchange(state_->ended, true)) co_return;
    const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (state_->busy) {
        auto wait = [this](runtime::Answer<bool> free) { state_->when_free = std::move(free); };
        co_await runtime::await_foreign<bool>(wait);
    }
    co_await state_->transaction->rollback();
    state_->tell_rolled_back();
    co_await boost::asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace sluice::db
