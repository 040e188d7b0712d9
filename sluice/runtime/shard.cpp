#include "sluice/runtime/shard.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/runtime/look_policy.hpp"

namespace sluice::runtime {
namespace {

constexpr std::size_t kPollsPerTurn = 256;
constexpr int kLooksPerPoll = 32;

thread_local Shard* current_shard = nullptr;

/// Marks a shard as the one that runs on this thread.
class RunningHere {
public:
    RunningHere(Shard* shard, std::atomic<bool>& running)
        : outer_(std::exchange(current_shard, shard)), running_(running) {
        const bool was_running = running_.exchange(true);
        SLUICE_ASSERT(!was_running, "shard {} is run twice at once", shard->index());
    }
    ~RunningHere() {
        running_.store(false);
        current_shard = outer_;
    }
    RunningHere(const RunningHere&) = delete;
    RunningHere& operator=(const RunningHere&) = delete;

private:
    Shard* outer_;
    std::atomic<bool>& running_;
};

/// Lets its owner drop pending handlers while the context is still there for what they drop to refer to.
class Context : public boost::asio::io_context {
public:
    Context() : io_context(1) {}
    ~Context() { shutdown(); }
    void drop_handlers() { shutdown(); }
};

struct Flusher {
    Shard::FlusherId id = 0;
    std::function<void()> flush;
    bool removed = false;  // erased once the round in progress is over: it may be the one that runs
};

}  // namespace

struct Shard::State {
    State(std::uint32_t shard_index, const core::Clock& shard_clock, std::size_t limit)
        : index(shard_index), clock(shard_clock), inbox_limit(limit) {}

    const std::uint32_t index;
    const core::Clock& clock;
    const std::size_t inbox_limit;

    std::mutex mutex;
    std::vector<Message> inbox;  // guarded by mutex, like the next two
    std::size_t limited = 0;     // messages of try_post among them
    bool wake_pending = false;   // a drain is posted, or ran in this turn

    Context context;  // destroyed before the inbox, to which what it drops may post
    boost::asio::executor_work_guard<Executor> work{context.get_executor()};

    std::vector<Message> batch;  // being run; keeps its capacity
    std::size_t messages_run = 0;
    std::size_t wakes = 0;  // handlers that were drains, not work
    bool drained_this_turn = false;
    core::SteadyTime look_until{};  // a message is expected until then
    LookPolicy looks;
    std::atomic<bool> has_mail{false};  // the inbox is not empty; set under mutex

    std::deque<Flusher> flushers;  // references hold while one adds another
    FlusherId last_flusher = 0;
    bool flushing = false;
    bool any_removed = false;

    std::atomic<bool> running{false};
    std::atomic<bool> stopping{false};

    /// Answers whether the caller has to post a drain.
    bool push(Message message) {
        inbox.push_back(std::move(message));
        has_mail.store(true, std::memory_order_release);
        return !std::exchange(wake_pending, true);
    }
    void post_drain() {
        boost::asio::post(context, [this] { drain(); });
    }

    // noexcept: nobody could handle an exception, and the messages behind it would be lost.
    void drain() noexcept {
        {
            const std::scoped_lock lock(mutex);
            batch.swap(inbox);
            has_mail.store(false, std::memory_order_relaxed);
            limited = 0;
        }
        drained_this_turn = true;
        ++wakes;
        for (Message& waiting : batch) {
            Message message = std::move(waiting);
            message();
        }
        messages_run += batch.size();
        batch.clear();
    }

    // Until here `wake_pending` stayed set, so that a turn drains at most once.
    void end_turn() {
        if (std::exchange(drained_this_turn, false)) {
            bool more = false;
            {
                const std::scoped_lock lock(mutex);
                more = wake_pending = !inbox.empty();
            }
            if (more) post_drain();
        }
        flush();
    }

    void flush() {
        flushing = true;
        for (std::size_t i = 0; i < flushers.size(); ++i) {
            if (!flushers[i].removed) flushers[i].flush();
        }
        flushing = false;
        if (std::exchange(any_removed, false))
            std::erase_if(flushers, [](const Flusher& flusher) { return flusher.removed; });
    }

    /// Looks for the expected message instead of sleeping. True: something ran, and the turn goes on.
    bool look_for_message() {
        if (look_until == core::SteadyTime{}) return false;
        {
            const std::scoped_lock lock(mutex);
            if (wake_pending) return false;  // a drain is ready: nothing to wait for
            if (!looks.should_look()) {
                look_until = {};
                return false;
            }
            wake_pending = true;  // while we look, nobody has to wake us
        }
        do {
            if (saw_mail()) {
                look_until = {};
                looks.met();
                drain();
                return true;
            }
            if (context.poll_one() == 1) {
                drained_this_turn = true;  // so that the end of the turn looks into the inbox
                return true;
            }
        } while (std::chrono::steady_clock::now() < look_until);
        look_until = {};
        looks.in_vain();
        const std::scoped_lock lock(mutex);
        wake_pending = !inbox.empty();
        if (wake_pending) post_drain();
        return false;
    }
    [[nodiscard]] bool saw_mail() const noexcept {
        for (int i = 0; i < kLooksPerPoll; ++i) {
            if (has_mail.load(std::memory_order_acquire)) return true;
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
        return false;
    }

    std::size_t poll_rest_of_turn() {
        std::size_t ran = 0;
        while (ran < kPollsPerTurn && context.poll_one() == 1)
            ++ran;
        return ran;
    }

    bool inbox_empty() {
        const std::scoped_lock lock(mutex);
        return inbox.empty();
    }
};

Shard::Shard(std::uint32_t index, const core::Clock& clock, std::size_t inbox_limit)
    : state_(std::make_unique<State>(index, clock, inbox_limit)) {}

Shard::~Shard() {
    SLUICE_ASSERT(!state_->running.load(), "shard {} is destroyed while it runs; stop it and join its thread", index());
    while (discard_pending()) {
    }
}

/// Destroys what waits. Answers whether there were messages: their destruction may have posted more, here or elsewhere.
bool Shard::discard_pending() {
    state_->context.drop_handlers();
    std::vector<Message> dropped;
    {
        const std::scoped_lock lock(state_->mutex);
        dropped.swap(state_->inbox);
    }
    return !dropped.empty();
}

std::uint32_t Shard::index() const noexcept {
    return state_->index;
}
boost::asio::io_context& Shard::context() noexcept {
    return state_->context;
}
Executor Shard::executor() noexcept {
    return state_->context.get_executor();
}
const core::Clock& Shard::clock() const noexcept {
    return state_->clock;
}
Shard* Shard::current() noexcept {
    return current_shard;
}
bool Shard::accessible() const noexcept {
    return is_current() || !state_->running.load(std::memory_order_relaxed);
}

void Shard::post(Message message) {
    bool wake = false;
    {
        const std::scoped_lock lock(state_->mutex);
        wake = state_->push(std::move(message));
    }
    if (wake) state_->post_drain();
}

bool Shard::try_post(Message& message) {
    bool wake = false;
    {
        const std::scoped_lock lock(state_->mutex);
        if (state_->limited >= state_->inbox_limit) return false;
        ++state_->limited;
        wake = state_->push(std::move(message));
    }
    if (wake) state_->post_drain();
    return true;
}

void Shard::expect_message(std::chrono::nanoseconds span) noexcept {
    SLUICE_ASSERT(accessible(), "another thread expects a message of shard {}", index());
    state_->look_until = std::chrono::steady_clock::now() + span;
}

Shard::FlusherId Shard::add_flusher(std::function<void()> flush) {
    SLUICE_ASSERT(accessible(), "a flusher of shard {} is added from another thread", index());
    SLUICE_ASSERT(flush != nullptr, "shard {} got a flusher that does nothing", index());
    const FlusherId id = ++state_->last_flusher;
    state_->flushers.push_back({id, std::move(flush), false});
    return id;
}

void Shard::remove_flusher(FlusherId id) {
    SLUICE_ASSERT(accessible(), "a flusher of shard {} is removed from another thread", index());
    const auto found = std::ranges::find(state_->flushers, id, &Flusher::id);
    if (found == state_->flushers.end()) return;
    found->removed = true;
    state_->any_removed = true;
    if (!state_->flushing) std::erase_if(state_->flushers, [](const Flusher& flusher) { return flusher.removed; });
}

void Shard::run() {
    const RunningHere here(this, state_->running);
    while (!state_->stopping.load()) {
        if (!state_->look_for_message()) state_->context.run_one();
        state_->poll_rest_of_turn();
        state_->end_turn();
    }
    state_->stopping.store(false);
}

std::size_t Shard::run_ready() {
    const RunningHere here(this, state_->running);
    std::size_t total = 0;
    std::size_t ran = 0;
    do {
        state_->messages_run = 0;
        state_->wakes = 0;
        const std::size_t handlers = state_->poll_rest_of_turn();
        ran = handlers - state_->wakes + state_->messages_run;
        total += ran;
        state_->end_turn();
    } while (ran > 0 || !state_->inbox_empty());
    return total;
}

void Shard::stop() {
    state_->stopping.store(true);
    boost::asio::post(state_->context, [] {});  // ends the wait in run_one
}

struct ShardGroup::State {
    std::vector<std::unique_ptr<Shard>> shards;
    std::vector<std::thread> threads;
};

ShardGroup::ShardGroup(std::uint32_t count, const core::Clock& clock) : state_(std::make_unique<State>()) {
    SLUICE_ASSERT(count >= 1, "a group of {} shards", count);
    for (std::uint32_t i = 0; i < count; ++i)
        state_->shards.push_back(std::make_unique<Shard>(i, clock));
}

ShardGroup::~ShardGroup() {
    stop();
    // What waits on one shard may hold coroutines of another, so all are emptied before the first is destroyed.
    bool dropped = true;
    while (dropped) {
        dropped = false;
        for (const auto& shard : state_->shards)
            dropped = shard->discard_pending() || dropped;
    }
}

void ShardGroup::start() {
    SLUICE_ASSERT(state_->threads.empty(), "a group of {} shards is started twice", size());
    for (const auto& shard : state_->shards) {
        state_->threads.emplace_back([running = shard.get()] {
            pthread_setname_np(pthread_self(), fmt::format("shard-{}", running->index()).c_str());
            running->run();
        });
    }
}

void ShardGroup::stop() {
    for (const auto& shard : state_->shards)
        SLUICE_ASSERT(!shard->is_current(), "shard {} tries to join itself", shard->index());
    if (state_->threads.empty()) return;
    for (const auto& shard : state_->shards)
        shard->stop();
    for (std::thread& thread : state_->threads)
        thread.join();
    state_->threads.clear();
}

std::uint32_t ShardGroup::size() const noexcept {
    return static_cast<std::uint32_t>(state_->shards.size());
}

Shard& ShardGroup::at(std::uint32_t index) noexcept {
    SLUICE_ASSERT(index < size(), "shard {} of {}", index, size());
    return *state_->shards[index];
}

Shard& ShardGroup::home_of(std::uint64_t hash) noexcept {
    return *state_->shards[hash % state_->shards.size()];
}

}  // namespace sluice::runtime
