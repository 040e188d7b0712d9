// A leased batch in a handler's hands: settles by message, knows its deadline.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/outbox/handler.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::outbox {

/// On one shard. Lives as long as the handler that has it.
class LeaseRun final : public LeasedBatch {
public:
    /// `budget`: from the start, and again from every settled message.
    LeaseRun(runtime::Shard& shard, std::vector<Message> messages, std::chrono::milliseconds budget);

    [[nodiscard]] std::span<const Message> messages() const noexcept override { return messages_; }
    /// The last word counts. An index out of range is a programming error.
    void settle(std::size_t index, Outcome outcome) override;
    [[nodiscard]] std::chrono::milliseconds remaining() const noexcept override;

    [[nodiscard]] const std::optional<Outcome>& outcome(std::size_t index) const { return outcomes_.at(index); }
    [[nodiscard]] std::size_t settled() const noexcept { return settled_; }
    [[nodiscard]] core::SteadyTime deadline() const noexcept { return deadline_; }

private:
    [[nodiscard]] core::SteadyTime now() const noexcept { return shard_.clock().steady_now(); }

    runtime::Shard& shard_;
    std::vector<Message> messages_;
    std::vector<std::optional<Outcome>> outcomes_;
    std::chrono::milliseconds budget_;
    core::SteadyTime deadline_;
    std::size_t settled_ = 0;
};

}  // namespace sluice::outbox
