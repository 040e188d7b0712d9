#include "sluice/outbox/internal/subscription_feed.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"

namespace sluice::outbox {
namespace {

std::size_t bytes_of(const Message& message) {
    return sizeof(Message) + message.payload.size() + message.key.size() + message.type.size() +
           message.headers.size() * 128;
}

}  // namespace

SubscriptionFeed::SubscriptionFeed(Order order, std::set<std::int32_t> queues, FeedLimits limits)
    : order_(order), queues_(std::move(queues)), limits_(limits) {}

void SubscriptionFeed::add_lane(std::int64_t acknowledged, ReadPoint from) {
    lanes_.emplace_back(acknowledged, from);
}

void SubscriptionFeed::starts_at(const Ledger& ledger) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        const bool merged = order_ == Order::merged;
        const LaneRef ref{*queues_.begin(), core::LaneId(static_cast<std::uint16_t>(i))};
        lanes_[i].raise_head(merged ? ledger.head().value() : ledger.head(ref).value());
        // A lane that is up to date goes on with the next tick; another one reads on from its cursor.
        if (!lanes_[i].lagging()) lanes_[i].looked_up_to({ledger.newest() + 1, 0});
    }
}

void SubscriptionFeed::saw(const Tick& tick) {
    if (order_ == Order::merged) {
        lanes_[0].raise_head(tick.first_position.value() + tick.count() - 1);
        return;
    }
    for (const LaneRun& run : tick.runs) {
        if (!queues_.contains(run.lane.queue)) continue;
        const std::size_t lane = run.lane.lane.value();
        SLUICE_ASSERT(lane < lanes_.size(), "lane {} of {}", lane, lanes_.size());
        lanes_[lane].raise_head(run.first.value() + static_cast<std::int64_t>(run.ids.size()) - 1);
    }
}

std::expected<std::vector<std::size_t>, std::string> SubscriptionFeed::offer(const LogSlice& slice) {
    return order_ == Order::merged ? offer_merged(slice) : offer_by_lane(slice);
}

std::expected<std::vector<std::size_t>, std::string> SubscriptionFeed::offer_by_lane(const LogSlice& slice) {
    enum class Stance : std::uint8_t { elsewhere, takes, took, full };
    std::vector<Stance> stances(lanes_.size(), Stance::elsewhere);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        if (lanes_[i].from() >= slice.begin && lanes_[i].from() < slice.end) stances[i] = Stance::takes;
    }
    for (const LoggedMessage& logged : slice.messages) {
        if (!queues_.contains(logged.queue)) continue;
        const std::size_t index = logged.message->lane.value();
        LaneBuffer& lane = lanes_[index];
        const std::int64_t number = logged.message->sequence.value();
        if (stances[index] == Stance::elsewhere || stances[index] == Stance::full || number <= lane.taken()) continue;
        if (number != lane.taken() + 1)
            return std::unexpected(fmt::format("lane {}: sequence {} follows {}", index, number, lane.taken()));
        if (has_room(lane)) {
            take(lane, logged, number);
            stances[index] = Stance::took;
        } else {
            lane.looked_up_to({logged.tick, logged.message->id.value() - 1});
            stances[index] = Stance::full;
        }
    }
    std::vector<std::size_t> fed;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        if (stances[i] == Stance::takes || stances[i] == Stance::took) lanes_[i].looked_up_to(slice.end);
        if (stances[i] == Stance::took || (stances[i] == Stance::full && lanes_[i].size() > 0)) fed.push_back(i);
    }
    return fed;
}

std::expected<std::vector<std::size_t>, std::string> SubscriptionFeed::offer_merged(const LogSlice& slice) {
    LaneBuffer& lane = lanes_[0];
    if (lane.from() < slice.begin || lane.from() >= slice.end) return std::vector<std::size_t>{};
    if (slice.after.value() > lane.taken())
        return std::unexpected(fmt::format("position {} follows {}", slice.after.value() + 1, lane.taken()));
    const std::size_t before = lane.size();
    for (const LoggedMessage& logged : slice.messages) {
        const std::int64_t number = logged.message->position.value();
        if (!queues_.contains(logged.queue) || number <= lane.taken()) continue;
        if (!has_room(lane)) {
            lane.pass_over(number - 1);
            lane.looked_up_to({logged.tick, logged.message->id.value() - 1});
            return std::vector<std::size_t>{0};
        }
        take(lane, logged, number);
    }
    lane.pass_over(slice.up_to.value());
    lane.looked_up_to(slice.end);
    return lane.size() > before ? std::vector<std::size_t>{0} : std::vector<std::size_t>{};
}

void SubscriptionFeed::take(LaneBuffer& lane, const LoggedMessage& logged, std::int64_t number) {
    Waiting waiting{logged, number, bytes_of(*logged.message)};
    ++messages_;
    bytes_ += waiting.bytes;
    lane.take(std::move(waiting));
}

std::size_t SubscriptionFeed::fair_share() const noexcept {
    return std::max<std::size_t>(1, limits_.messages / (2 * lanes_.size()));
}

bool SubscriptionFeed::has_room(const LaneBuffer& lane) const noexcept {
    if (lane.held()) return false;
    if (lane.size() == 0) return true;
    return (messages_ < limits_.messages || lane.size() < fair_share()) && bytes_ < limits_.bytes;
}

std::optional<ReadPoint> SubscriptionFeed::wants() const {
    const bool roomy = messages_ < limits_.messages / 2 && bytes_ < limits_.bytes / 2;
    std::optional<ReadPoint> from;
    for (const LaneBuffer& lane : lanes_) {
        if (!lane.lagging() || lane.held() || (!roomy && lane.size() > 0)) continue;
        if (!from || lane.from() < *from) from = lane.from();
    }
    return from;
}

void SubscriptionFeed::acknowledge(std::size_t lane, std::size_t count) {
    const std::size_t before = lanes_[lane].bytes();
    lanes_[lane].acknowledge(count);
    messages_ -= count;
    bytes_ -= before - lanes_[lane].bytes();
}

void SubscriptionFeed::acknowledge_idle(std::size_t lane, std::int64_t number) {
    lanes_[lane].acknowledge_idle(number);
}

void SubscriptionFeed::reset(std::size_t lane, std::int64_t acknowledged, ReadPoint from) {
    messages_ -= lanes_[lane].size();
    bytes_ -= lanes_[lane].bytes();
    lanes_[lane].reset(acknowledged, from);
}

void SubscriptionFeed::hold(std::size_t lane) {
    LaneBuffer& held = lanes_[lane];
    std::size_t keep = std::min(held.size(), fair_share());
    const std::size_t byte_share = limits_.bytes / (2 * lanes_.size());
    std::size_t kept_bytes = 0;
    for (std::size_t i = 0; i < keep; ++i) {
        kept_bytes += held.at(i).bytes;
        if (kept_bytes > byte_share) keep = i + 1;
    }
    messages_ -= held.size();
    bytes_ -= held.bytes();
    held.trim(keep);
    held.hold();
    messages_ += held.size();
    bytes_ += held.bytes();
}

bool SubscriptionFeed::passed_all() const noexcept {
    return std::ranges::all_of(lanes_, [](const LaneBuffer& lane) { return lane.size() == 0 && !lane.lagging(); });
}

}  // namespace sluice::outbox
