#include "sluice/db/pool/internal/pool_fsm.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"
#include "sluice/core/mutant.hpp"

namespace sluice::db::pool {

PoolGrant PoolFsm::acquire(ShardIndex shard, SteadyTime now) {
    // Nobody is overtaken here: while one waits, nothing rests and no place is free.
    if (const auto link = newest_on(shard)) return take(*link, shard, shard, now);
    if (known_.size() < limits_.max) return {.kind = PoolGrant::Kind::open, .link = add(), .shard = shard};
    for (const auto& [other, links] : resting_) {
        if (!links.empty()) return take(links.back(), other, shard, now);
    }
    if (waiting_.size() >= limits_.max_waiting) return {.kind = PoolGrant::Kind::refuse, .shard = shard};
    waiting_.emplace(++last_ticket_, shard);
    return {.kind = PoolGrant::Kind::wait, .ticket = last_ticket_, .shard = shard};
}

bool PoolFsm::withdraw(Ticket ticket) {
    return waiting_.erase(ticket) > 0;
}

void PoolFsm::opened(LinkId link, SteadyTime now, double jitter01) {
    const auto found = known_.find(link);
    SLUICE_ASSERT(found != known_.end(), "connection {} was never asked for", link);
    const auto lifetime = std::chrono::duration<double>(limits_.max_lifetime) * (1.0 - jitter01 / 10.0);
    found->second.expires = now + std::chrono::duration_cast<std::chrono::nanoseconds>(lifetime);
}

std::optional<PoolGrant> PoolFsm::open_failed(LinkId link) {
    forget(link);
    return grant_new_place();
}

std::optional<PoolGrant> PoolFsm::release(LinkId link, ShardIndex shard, bool healthy, SteadyTime now) {
    const auto found = known_.find(link);
    SLUICE_ASSERT(found != known_.end() && !idle_since_.contains(link), "connection {} is not lent", link);
    const bool expired = found->second.expires <= now && !core::mutant("pool_connections_never_expire");
    if (!healthy) suspect_until_ = now;
    if (!healthy || expired) return open_failed(link);
    if (waiting_.empty()) {
        idle_since_.emplace(link, now);
        resting_[shard].push_back(link);
        return std::nullopt;
    }
    const auto [ticket, waiter_shard] = take_first_waiter();
    return PoolGrant{
        .kind = PoolGrant::Kind::fetch, .link = link, .ticket = ticket, .shard = waiter_shard, .from = shard};
}

std::vector<LinkId> PoolFsm::sweep(ShardIndex shard, SteadyTime now) {
    std::vector<LinkId> closed;
    std::vector<LinkId>& links = resting_[shard];
    for (std::size_t i = 0; i < links.size();) {
        const LinkId link = links[i];
        const bool idle_too_long =
            now - idle_since_.at(link) >= limits_.idle_timeout && idle_since_.size() > limits_.min_idle;
        if (!idle_too_long && known_.at(link).expires > now) {
            ++i;
            continue;
        }
        links.erase(links.begin() + static_cast<std::ptrdiff_t>(i));
        forget(link);
        closed.push_back(link);
    }
    return closed;
}

std::vector<LinkId> PoolFsm::drain(ShardIndex shard) {
    std::vector<LinkId> closed = std::exchange(resting_[shard], {});
    for (LinkId link : closed)
        forget(link);
    return closed;
}

std::optional<PoolGrant> PoolFsm::refill() {
    if (idle_since_.size() >= limits_.min_idle || known_.size() >= limits_.max) return std::nullopt;
    return PoolGrant{.kind = PoolGrant::Kind::open, .link = add()};
}

PoolCounts PoolFsm::counts() const noexcept {
    PoolCounts counts;
    counts.idle = static_cast<std::uint32_t>(idle_since_.size());
    counts.in_use = static_cast<std::uint32_t>(known_.size()) - counts.idle;
    counts.waiting = waiting_.size();
    return counts;
}

PoolGrant PoolFsm::take(LinkId link, ShardIndex on, ShardIndex for_shard, SteadyTime now) {
    const auto since = idle_since_.find(link);
    PoolGrant grant{.kind = on == for_shard ? PoolGrant::Kind::use : PoolGrant::Kind::fetch,
                    .link = link,
                    .shard = for_shard,
                    .from = on};
    grant.check =
        now - since->second >= limits_.check_after || since->second <= suspect_until_ || known_.at(link).expires <= now;
    idle_since_.erase(since);
    std::vector<LinkId>& links = resting_[on];
    links.erase(std::ranges::find(links, link));
    return grant;
}

LinkId PoolFsm::add() {
    known_.emplace(++last_link_, Known{});
    return last_link_;
}

void PoolFsm::forget(LinkId link) {
    idle_since_.erase(link);
    const bool was_known = known_.erase(link) > 0;
    SLUICE_ASSERT(was_known, "connection {} is not the pool's", link);
}

std::optional<LinkId> PoolFsm::newest_on(ShardIndex shard) const {
    const auto found = resting_.find(shard);
    if (found == resting_.end() || found->second.empty()) return std::nullopt;
    return found->second.back();
}

std::pair<Ticket, ShardIndex> PoolFsm::take_first_waiter() {
    const auto first = core::mutant("pool_serves_the_latest_first") ? std::prev(waiting_.end()) : waiting_.begin();
    const std::pair<Ticket, ShardIndex> waiter = *first;
    waiting_.erase(first);
    return waiter;
}

std::optional<PoolGrant> PoolFsm::grant_new_place() {
    if (waiting_.empty() || known_.size() >= limits_.max) return std::nullopt;
    const auto [ticket, shard] = take_first_waiter();
    return PoolGrant{.kind = PoolGrant::Kind::open, .link = add(), .ticket = ticket, .shard = shard};
}

}  // namespace sluice::db::pool
