#include "sluice/db/sqlite/internal/reader.hpp"

#include <algorithm>
#include <utility>

#include <pthread.h>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"

namespace sluice::db::sqlite {
namespace {

void post_answer(ReadSessionPtr session) {
    runtime::Shard* const shard = session->shard;
    shard->post([session = std::move(session)] {
        session->stage.store(ReadSession::Stage::idle);
        auto resume = std::exchange(session->resume, nullptr);
        if (resume) resume(nullptr);
    });
}

}  // namespace

Reader::Reader(EngineOptions options, std::chrono::milliseconds age_limit, std::function<void(Reader&)> given_back)
    : source_(options.source),
      age_limit_(age_limit),
      given_back_(std::move(given_back)),
      engine_(std::move(options)),
      thread_([this] { loop(); }) {
    pthread_setname_np(thread_.native_handle(), "sluice-reader");
}

Reader::~Reader() {
    inbox_.push({});
    thread_.join();
}

void Reader::submit(ReadSessionPtr session) {
    session->stage.store(ReadSession::Stage::queued);
    inbox_.push({std::move(session), false});
}

void Reader::end(ReadSessionPtr session) {
    inbox_.push({std::move(session), true});
}

void Reader::loop() {
    std::vector<Item> items;
    while (!stopping_) {
        inbox_.wait(snapshot_ends_, std::chrono::nanoseconds(0));
        inbox_.take(items);
        for (Item& item : items)
            handle(std::move(item));
        const bool too_old = std::chrono::steady_clock::now() >= snapshot_ends_;
        if (too_old && !core::mutant("sqlite_reads_never_expire")) expire();
    }
    close_snapshot();
}

void Reader::handle(Item item) {
    if (!item.session) {
        stopping_ = true;
        return;
    }
    const auto is_this = [&](const std::weak_ptr<ReadSession>& other) { return other.lock() == item.session; };
    const bool expired = std::ranges::any_of(expired_, is_this);
    if (item.end) {
        if (expired) {
            std::erase_if(expired_, is_this);  // given back when it expired
            return;
        }
        close_snapshot();
        return given_back_(*this);
    }
    if (!item.session->move_stage(ReadSession::Stage::queued, ReadSession::Stage::taken)) return;
    if (expired) {
        item.session->error = age_error();
    } else {
        if (item.session->transaction && !borrower_) {
            borrower_ = item.session;
            snapshot_ends_ = std::chrono::steady_clock::now() + age_limit_;
        }
        serve(*item.session);
    }
    post_answer(std::move(item.session));
}

void Reader::serve(ReadSession& session) {
    const SteadyTime limit = session.transaction ? snapshot_ends_ : std::chrono::steady_clock::now() + age_limit_;
    engine_.set_interrupts(std::min(limit, session.deadline), &session.cancelled);
    try {
        run_statements(session);
    } catch (const std::exception&) {
        session.error = std::current_exception();
        if (!session.transaction) close_snapshot();
    }
    engine_.set_interrupts(SteadyTime::max(), nullptr);
}

void Reader::run_statements(ReadSession& session) {
    // Several statements see one state of the file.
    const bool snapshot = session.transaction || session.statements.size() > 1;
    if (snapshot && !engine_.in_transaction()) engine_.control(Control::begin);
    for (const Statement& statement : session.statements)
        session.results.push_back(engine_.run(statement));
    if (snapshot && !session.transaction) engine_.control(Control::commit);
}

void Reader::close_snapshot() noexcept {
    borrower_.reset();
    snapshot_ends_ = SteadyTime::max();
    try {
        if (engine_.in_transaction()) engine_.control(Control::rollback);
    } catch (const Error&) {
        // A read transaction that cannot be rolled back has ended by itself.
    }
}

void Reader::expire() {
    expired_.push_back(borrower_);
    close_snapshot();
    given_back_(*this);
}

std::exception_ptr Reader::age_error() const {
    return std::make_exception_ptr(internal::failure(
        ErrorKind::timeout, source_,
        fmt::format("the read transaction was older than {} ms (reader_limit) and was ended, so that the log can be "
                    "checkpointed",
                    age_limit_.count())));
}

}  // namespace sluice::db::sqlite
