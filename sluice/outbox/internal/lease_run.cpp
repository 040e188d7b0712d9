#include "sluice/outbox/internal/lease_run.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"

namespace sluice::outbox {

LeaseRun::LeaseRun(runtime::Shard& shard, std::vector<Message> messages, std::chrono::milliseconds budget)
    : shard_(shard),
      messages_(std::move(messages)),
      outcomes_(messages_.size()),
      budget_(budget),
      deadline_(now() + budget) {}

void LeaseRun::settle(std::size_t index, Outcome outcome) {
    SLUICE_ASSERT(index < outcomes_.size(), "message {} of a batch of {} is settled", index, outcomes_.size());
    if (!outcomes_[index]) ++settled_;
    outcomes_[index] = std::move(outcome);
    deadline_ = now() + budget_;
}

std::chrono::milliseconds LeaseRun::remaining() const noexcept {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - now());
    return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace sluice::outbox
