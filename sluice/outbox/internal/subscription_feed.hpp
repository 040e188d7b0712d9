// Which messages each lane of a subscription holds: fed by ticks as they become durable, and by stretches of the log
// that are read back for the lanes that fell behind. Pure; bounded in messages and bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sluice/outbox/internal/lane_buffer.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/settings.hpp"

namespace sluice::outbox {

struct FeedLimits {
    std::size_t messages = 8'000;              ///< all lanes together
    std::size_t bytes = std::size_t{8} << 20;  ///< likewise; a lane that holds nothing may always take one message
};

/// By lane: one buffer per lane of one queue. Merged: one buffer, numbered by position.
class SubscriptionFeed {
public:
    SubscriptionFeed(Order order, std::set<std::int32_t> queues, FeedLimits limits);

    /// Lanes are added in order, before the first tick.
    void add_lane(std::int64_t acknowledged, ReadPoint from);
    [[nodiscard]] std::size_t lanes() const noexcept { return lanes_.size(); }
    [[nodiscard]] const LaneBuffer& lane(std::size_t index) const { return lanes_[index]; }
    [[nodiscard]] const std::set<std::int32_t>& queues() const noexcept { return queues_; }
    [[nodiscard]] Order order() const noexcept { return order_; }

    /// Heads as the ledger has them; ticks that `saw` gets follow.
    void starts_at(const Ledger& ledger);
    /// A tick became durable: raises the heads.
    void saw(const Tick& tick);
    /// Offers a stretch of the log; each lane takes what follows what it has, as far as there is room. Answers the
    /// lanes that took something, rising. The error names a message that the ledger has and the stretch has not.
    [[nodiscard]] std::expected<std::vector<std::size_t>, std::string> offer(const LogSlice& slice);
    /// Where to read on for the lanes that fell behind and have room; nothing if there are none.
    [[nodiscard]] std::optional<ReadPoint> wants() const;

    /// The cursor of `lane` moved past its first `count` messages.
    void acknowledge(std::size_t lane, std::size_t count);
    /// The handler had a batch of what `lane` acknowledged last.
    void note_handled(std::size_t lane) { lanes_[lane].note_handled(); }
    /// The cursor of a lane in which nothing waited moved to `number`, before anything that came meanwhile.
    void acknowledge_idle(std::size_t lane, std::int64_t number);
    /// The cursor of `lane` stands elsewhere than was thought: what waited is read again.
    void reset(std::size_t lane, std::int64_t acknowledged, ReadPoint from);
    /// `lane` waits for a retry: it gives memory beyond its share to the others and takes no more until `acknowledge`.
    void hold(std::size_t lane);

    /// Whether every lane has passed everything that was numbered.
    [[nodiscard]] bool passed_all() const noexcept;

private:
    [[nodiscard]] bool has_room(const LaneBuffer& lane) const noexcept;
    [[nodiscard]] std::size_t fair_share() const noexcept;
    void take(LaneBuffer& lane, const LoggedMessage& logged, std::int64_t number);
    [[nodiscard]] std::expected<std::vector<std::size_t>, std::string> offer_by_lane(const LogSlice& slice);
    [[nodiscard]] std::expected<std::vector<std::size_t>, std::string> offer_merged(const LogSlice& slice);

    Order order_;
    std::set<std::int32_t> queues_;
    FeedLimits limits_;
    std::vector<LaneBuffer> lanes_;
    std::size_t messages_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace sluice::outbox
