// Every setting of the outbox with its default. All are checked by name in `Builder::start`, before any database work.
//
//     outbox::SubscriptionSettings audit;
//     audit.from = outbox::From::now;
//     audit.poison = outbox::PoisonPolicy::park_key;
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "sluice/runtime/worker_settings.hpp"

namespace sluice::outbox {

/// How a subscription sees several lanes: each lane on its own, or all lanes of one or more queues merged in ledger
/// order (tick, then id), handled by one owner.
enum class Order : std::uint8_t { by_lane, merged };

/// Where a subscription that is new in this database begins: at the oldest message kept, or after the newest one.
enum class From : std::uint8_t { start, now };

/// `strict`: two messages of one key follow the order of their commits even if their transactions share no row. One
/// writer gives that on SQLite without a lock.
enum class Ordering : std::uint8_t { causal, strict };

/// What becomes of a message that failed `max_attempts` times.
enum class PoisonPolicy : std::uint8_t {
    dead_letter,  ///< it goes to the dead letters, its key goes on
    park_key,     ///< it waits with all later messages of its key until `release_parked`; the lane goes on
    block,        ///< its lane waits and keeps trying; keys are never set aside
};

struct QueueSettings {
    Ordering ordering = Ordering::causal;
    /// Kept this long after every subscription has passed; nothing: for ever. The log of a database is shared by its
    /// queues: the longest retention decides for all of them.
    std::optional<std::chrono::seconds> retention = std::chrono::hours(24 * 7);
};

/// Pauses between tries of one message: `base` doubled each time up to `max`, up to half of it taken away at random.
/// Nothing: as the processor's tuning or the profile says.
struct RetrySettings {
    std::optional<std::chrono::milliseconds> base;
    std::optional<std::chrono::milliseconds> max;
};

struct SubscriptionSettings {
    /// Only for a subscription that this database does not know yet.
    From from = From::start;
    /// Messages per batch at most; nothing: as the profile says.
    std::optional<std::uint32_t> batch;
    RetrySettings retry;
    /// A key whose message has been retried this long is set aside and its lane goes on; nothing: never.
    std::optional<std::chrono::milliseconds> set_aside_after = std::chrono::milliseconds(1'000);
    /// Tries before `poison` applies; nothing: never.
    std::optional<std::uint32_t> max_attempts = 16;
    PoisonPolicy poison = PoisonPolicy::dead_letter;
    /// Keys set aside per lane; at the limit the lane waits.
    std::uint32_t parked_keys = 10'000;
};

/// A leased batch must be settled within `duration - headroom` of its start or of its last settled message.
struct LeaseSettings {
    std::chrono::milliseconds duration{30'000};
    std::chrono::milliseconds headroom{2'000};
};

struct Settings {
    /// Batches handled at once, all subscriptions together.
    std::uint32_t processors = 4;
    /// Messages that one tick numbers at most.
    std::uint32_t tick_messages = 10'000;
    /// Payload bytes that are handed over in memory per tick, and buffered per subscription; beyond it they are read
    /// back.
    std::size_t tick_bytes = std::size_t{8} << 20;
    /// Messages read back at once from a backlog.
    std::uint32_t backlog_chunk = 4'000;
    /// Acknowledgements of leased batches are committed together this often.
    std::chrono::milliseconds ack_interval{5};
    /// One line per kind of worker that did something; zero: none.
    std::chrono::milliseconds statistics_interval{60'000};
    /// What the profile says otherwise. The sequencer's idle and rest intervals are how often the database is asked for
    /// messages of other processes; retention's batch is the rows removed per step.
    runtime::WorkerTuning processor;
    runtime::WorkerTuning sequencer;
    runtime::WorkerTuning retention;
    runtime::WorkerTuning reconciler;
};

}  // namespace sluice::outbox
