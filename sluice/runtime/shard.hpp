// One thread, one io_context, one loop of our own: run what is ready (bounded), then flush. A socket, a timer, a
// coroutine or a lane belongs to one shard for life; between shards only messages travel.
//
//     runtime::ShardGroup shards(2);
//     shards.start();
//     shards.at(0).post([] { … });        // from any thread
//     shards.stop();                       // asks every loop to end and joins
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::runtime {

using Message = std::move_only_function<void()>;

/// A turn is `run_one`, then at most 256 × `poll_one`, then every flusher in order of registration.
class Shard {
public:
    /// `inbox_limit`: messages that may wait in try_post's queue.
    Shard(std::uint32_t index, const core::Clock& clock, std::size_t inbox_limit = 65'536);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    [[nodiscard]] std::uint32_t index() const noexcept;
    [[nodiscard]] boost::asio::io_context& context() noexcept;
    [[nodiscard]] Executor executor() noexcept;
    [[nodiscard]] const core::Clock& clock() const noexcept;

    /// The shard whose loop runs on this thread, or null.
    [[nodiscard]] static Shard* current() noexcept;
    [[nodiscard]] bool is_current() const noexcept { return current() == this; }
    /// Whether the caller may touch what belongs to this shard: it runs on it, or the loop does not run.
    [[nodiscard]] bool accessible() const noexcept;

    /// Runs `message` on this shard in a later step of its loop, in order of posting per sender. Any thread. Wakes the
    /// loop at most once per turn however many are posted. Never refuses: for completions and control, which are
    /// bounded by what was started. An exception that leaves `message` ends the process; what still waits when the
    /// shard is destroyed is destroyed unrun.
    void post(Message message);
    /// As `post`, but answers false and leaves `message` untouched when `inbox_limit` such messages wait already.
    [[nodiscard]] bool try_post(Message& message);

    /// Another thread will post within microseconds: when nothing is ready, the loop looks for messages (and polls) for
    /// `span` from now before it sleeps, because to be woken costs more than that; it does not where such looks were in
    /// vain lately (LookPolicy). The latest call counts; one message ends it. Shard thread.
    void expect_message(std::chrono::nanoseconds span) noexcept;

    /// Called at the end of every turn of this shard, on its thread. Shard thread or before `start`.
    using FlusherId = std::uint64_t;
    FlusherId add_flusher(std::function<void()> flush);
    void remove_flusher(FlusherId id);

    /// Runs the loop on the calling thread until `stop`. Called by ShardGroup; tests call it or `run_ready` directly.
    void run();
    /// Runs turns until nothing is ready, without waiting. Returns the handlers run. For tests.
    std::size_t run_ready();
    /// Makes `run` return after the turn in progress; called before, it makes the next `run` return at once. Any
    /// thread.
    void stop();

private:
    friend class ShardGroup;
    bool discard_pending();

    struct State;
    std::unique_ptr<State> state_;
};

/// The shards of one process and their threads.
class ShardGroup {
public:
    /// `count` >= 1.
    explicit ShardGroup(std::uint32_t count, const core::Clock& clock = core::real_clock());
    ~ShardGroup();

    void start();
    /// Stops every loop and joins the threads. Whoever owns tasks has joined them before. Idempotent.
    void stop();

    [[nodiscard]] std::uint32_t size() const noexcept;
    [[nodiscard]] Shard& at(std::uint32_t index) noexcept;
    /// The home of what hashes to `hash`; stable for the life of the group.
    [[nodiscard]] Shard& home_of(std::uint64_t hash) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::runtime
