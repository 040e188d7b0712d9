// The rules of a connection pool without its connections: who gets which, who waits, what is closed and opened.
//
//     PoolFsm fsm(limits);
//     const PoolGrant grant = fsm.acquire(shard, now);     // use it, open one, fetch it from another shard, or wait
//     const std::optional<PoolGrant> next = fsm.release(id, true, now);   // for the first who waits
//
// Rules: waiters are served strictly in the order of asking, and nobody overtakes them. A connection is used where it
// is: one that rests on the asking shard comes first, then a new one, then one that rests on another shard. Among those
// that rest the one used last is taken, so that the others reach their idle timeout.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/core/clock.hpp"

namespace sluice::db::pool {

using core::SteadyTime;
using LinkId = std::uint64_t;
using Ticket = std::uint64_t;
using ShardIndex = std::uint32_t;

struct PoolLimits {
    std::uint32_t max = 16;
    std::uint32_t min_idle = 0;
    std::uint32_t max_waiting = 10'000;
    std::chrono::nanoseconds max_lifetime = std::chrono::minutes(30);
    std::chrono::nanoseconds idle_timeout = std::chrono::minutes(10);
    std::chrono::nanoseconds check_after = std::chrono::seconds(30);  ///< idle longer: tried before it is lent
};

struct PoolGrant {
    enum class Kind : std::uint8_t {
        use,    ///< the connection `link`, which rests on the asking shard
        open,   ///< make `link`; then `opened` or `open_failed`
        fetch,  ///< the connection `link`, which rests on the shard `from`
        wait,   ///< until `ticket` is granted, or `withdraw` it
        refuse  ///< too many wait already
    };
    Kind kind = Kind::refuse;
    LinkId link = 0;
    Ticket ticket = 0;     ///< of the waiter whom this is for, or who waits from now on
    ShardIndex shard = 0;  ///< of the waiter whom this is for
    ShardIndex from = 0;
    /// It rested for long, or another broke meanwhile: try it, and open one in its place if it is dead.
    bool check = false;
};

struct PoolCounts {
    std::uint32_t in_use = 0;  ///< being opened included
    std::uint32_t idle = 0;
    std::size_t waiting = 0;
};

/// Pure. Not thread-safe. Ids that do not fit their state are programming errors and assert.
class PoolFsm {
public:
    explicit PoolFsm(const PoolLimits& limits) : limits_(limits) {}

    [[nodiscard]] PoolGrant acquire(ShardIndex shard, SteadyTime now);
    /// A waiter gives up. False: it was granted something already, which it must give back.
    [[nodiscard]] bool withdraw(Ticket ticket);

    /// The connection works. `jitter01` in [0, 1) takes up to a tenth off its lifetime, so that those opened together
    /// do not end together.
    void opened(LinkId link, SteadyTime now, double jitter01);
    /// It could not be opened, or is given up: its place is free. The first waiter may open one in its place.
    [[nodiscard]] std::optional<PoolGrant> open_failed(LinkId link);
    /// Back from the borrower on `shard`. Nothing: it rests if `keeps`, else it is to be closed. A grant for the first
    /// waiter is this connection (`fetch` from `shard`), or `open` when this one is to be closed.
    [[nodiscard]] std::optional<PoolGrant> release(LinkId link, ShardIndex shard, bool healthy, SteadyTime now);
    /// Whether the connection rests: what `release` decided.
    [[nodiscard]] bool rests(LinkId link) const { return idle_since_.contains(link); }

    /// The connections that rest on `shard` and are to be closed: too old, idle too long beyond `min_idle`.
    [[nodiscard]] std::vector<LinkId> sweep(ShardIndex shard, SteadyTime now);
    /// All that rest on `shard`, which are to be closed: the pool closes.
    [[nodiscard]] std::vector<LinkId> drain(ShardIndex shard);
    /// Asks for one more to rest: `open`, or nothing when enough rest or the limit is reached.
    [[nodiscard]] std::optional<PoolGrant> refill();

    [[nodiscard]] PoolCounts counts() const noexcept;

private:
    struct Known {
        SteadyTime expires = SteadyTime::max();
    };

    PoolGrant take(LinkId link, ShardIndex on, ShardIndex for_shard, SteadyTime now);
    LinkId add();
    void forget(LinkId link);
    std::optional<LinkId> newest_on(ShardIndex shard) const;
    std::pair<Ticket, ShardIndex> take_first_waiter();
    std::optional<PoolGrant> grant_new_place();

    PoolLimits limits_;
    SteadyTime suspect_until_ = SteadyTime::min();  // who has rested since then may be as dead as the one that broke
    LinkId last_link_ = 0;
    Ticket last_ticket_ = 0;
    std::unordered_map<LinkId, Known> known_;
    std::unordered_map<LinkId, SteadyTime> idle_since_;
    std::map<ShardIndex, std::vector<LinkId>> resting_;  // the one used last at the back
    std::map<Ticket, ShardIndex> waiting_;               // tickets rise: the order of asking
};

}  // namespace sluice::db::pool
