#include "sluice/runtime/shard.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "sluice/core/assert.hpp"

namespace sluice::runtime {
namespace {

constexpr int kPollsPerTurn = 256;

thread_local Shard* current_shard = nullptr;

/// Names the shard that runs on this thread for as long as it lives; nests.
class Entered {
public:
    explicit Entered(Shard* shard) : before_(std::exchange(current_shard, shard)) {}
    ~Entered() { current_shard = before_; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

private:
    Shard* before_;
};

}  // namespace

struct Shard::State {
    State(std::uint32_t shard_index, const core::Clock& shard_clock, std::size_t limit)
        : index(shard_index), clock(shard_clock), inbox_limit(limit), io(1), guard(io.get_executor()) {}

    struct Letter {
        Message message;
        bool counted = false;
    };
    struct Flusher {
        FlusherId id = 0;
        std::function<void()> flush;
    };

    void put(Letter letter, std::unique_lock<std::mutex> lock) {
        inbox.push_back(std::move(letter));
        const bool wake = !std::exchange(wake_pending, true);
        lock.unlock();
        if (wake) boost::asio::post(io, [this] { drain(); });
    }

    void drain() {
        std::vector<Letter> letters;
        {
            const std::scoped_lock lock(mutex);
            letters.swap(inbox);
            wake_pending = false;
            counted = 0;
        }
        for (Letter& letter : letters)
            letter.message();
    }

    void flush() {
        // By index: a flusher may add another.
        for (std::size_t i = 0; i < flushers.size(); ++i) {
            if (flushers[i].flush) flushers[i].flush();
        }
        if (std::exchange(has_holes, false)) std::erase_if(flushers, [](const Flusher& f) { return !f.flush; });
    }

    const std::uint32_t index;
    const core::Clock& clock;
    const std::size_t inbox_limit;
    std::mutex mutex;
    std::vector<Letter> inbox;
    std::size_t counted = 0;
    bool wake_pending = false;
    std::vector<Flusher> flushers;
    FlusherId next_flusher = 1;
    bool has_holes = false;
    std::atomic<bool> stopping{false};
    boost::asio::io_context io;
    boost::asio::executor_work_guard<Executor> guard;
};

Shard::Shard(std::uint32_t index, const core::Clock& clock, std::size_t inbox_limit)
    : state_(std::make_unique<State>(index, clock, inbox_limit)) {}

Shard::~Shard() = default;

std::uint32_t Shard::index() const noexcept {
    return state_->index;
}
boost::asio::io_context& Shard::context() noexcept {
    return state_->io;
}
Executor Shard::executor() noexcept {
    return state_->io.get_executor();
}
const core::Clock& Shard::clock() const noexcept {
    return state_->clock;
}
Shard* Shard::current() noexcept {
    return current_shard;
}

void Shard::post(Message message) {
    std::unique_lock lock(state_->mutex);
    state_->put({std::move(message), false}, std::move(lock));
}

bool Shard::try_post(Message& message) {
    std::unique_lock lock(state_->mutex);
    if (state_->counted >= state_->inbox_limit) return false;
    ++state_->counted;
    state_->put({std::move(message), true}, std::move(lock));
    return true;
}

Shard::FlusherId Shard::add_flusher(std::function<void()> flush) {
    const FlusherId id = state_->next_flusher++;
    state_->flushers.push_back({id, std::move(flush)});
    return id;
}

void Shard::remove_flusher(FlusherId id) {
    const auto found = std::ranges::find(state_->flushers, id, &State::Flusher::id);
    if (found == state_->flushers.end()) return;
    found->flush = nullptr;  // compacted after the walk that may be in progress
    state_->has_holes = true;
}

void Shard::run() {
    const Entered entered(this);
    while (!state_->stopping.load(std::memory_order_relaxed)) {
        state_->io.run_one();
        for (int i = 0; i < kPollsPerTurn && state_->io.poll_one() > 0; ++i) {
        }
        state_->flush();
    }
}

std::size_t Shard::run_ready() {
    const Entered entered(this);
    std::size_t total = 0;
    std::size_t ran = 0;
    do {
        ran = 0;
        while (ran < kPollsPerTurn && state_->io.poll_one() > 0)
            ++ran;
        state_->flush();
        total += ran;
    } while (ran > 0);
    return total;
}

void Shard::stop() {
    boost::asio::post(state_->io, [state = state_.get()] { state->stopping.store(true, std::memory_order_relaxed); });
}

struct ShardGroup::State {
    std::vector<std::unique_ptr<Shard>> shards;
    std::vector<std::thread> threads;
};

ShardGroup::ShardGroup(std::uint32_t count, const core::Clock& clock) : state_(std::make_unique<State>()) {
    SLUICE_ASSERT(count >= 1, "a group needs a shard");
    for (std::uint32_t i = 0; i < count; ++i)
        state_->shards.push_back(std::make_unique<Shard>(i, clock));
}

ShardGroup::~ShardGroup() {
    stop();
}

void ShardGroup::start() {
    SLUICE_ASSERT(state_->threads.empty(), "the shards run already");
    for (auto& shard : state_->shards)
        state_->threads.emplace_back([target = shard.get()] { target->run(); });
}

void ShardGroup::stop() {
    if (state_->threads.empty()) return;
    for (auto& shard : state_->shards)
        shard->stop();
    for (auto& thread : state_->threads)
        thread.join();
    state_->threads.clear();
}

std::uint32_t ShardGroup::size() const noexcept {
    return static_cast<std::uint32_t>(state_->shards.size());
}
Shard& ShardGroup::at(std::uint32_t index) noexcept {
    return *state_->shards[index];
}
Shard& ShardGroup::home_of(std::uint64_t hash) noexcept {
    return *state_->shards[hash % state_->shards.size()];
}

}  // namespace sluice::runtime
