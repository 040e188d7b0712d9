#include "sluice/outbox/internal/lane_fsm.hpp"

#include <algorithm>

namespace sluice::outbox {

LaneFsm::LaneFsm(LaneRules rules) : rules_(rules), batch_(rules_.batch) {}

LaneStep LaneFsm::next(core::SteadyTime now, std::size_t waiting, std::int64_t head) {
    LaneStep step;
    if (now < paused_until_) {
        step.kind = LaneStep::Kind::wait;
        step.until = paused_until_;
        return step;
    }
    const RetryState* const retry = waiting > 0 ? retry_of(head) : nullptr;
    const bool batch_ready = waiting > 0 && (retry == nullptr || now >= retry->next_at);
    const std::optional<std::string> due = parked_.due(now);
    if (due && (parked_turn_ || !batch_ready)) {
        step.kind = LaneStep::Kind::parked;
        step.group = *due;
        parked_.begin(*due);
        return step;
    }
    parked_turn_ = true;
    if (batch_ready) {
        step.kind = LaneStep::Kind::batch;
        step.careful = careful_ > 0;
        const std::uint32_t most = step.careful ? std::min(piece_, careful_) : batch_;
        step.count = static_cast<std::uint32_t>(std::min<std::size_t>(waiting, most));
        return step;
    }
    std::optional<core::SteadyTime> until = parked_.next_due();
    if (retry != nullptr) until = until ? std::min(*until, retry->next_at) : retry->next_at;
    if (until) {
        step.kind = LaneStep::Kind::wait;
        step.until = *until;
    }
    return step;
}

void LaneFsm::passed(std::uint32_t count) {
    disturbances_ = 0;
    if (count == 0) return;
    if (careful_ > 0) {
        careful_ -= std::min(careful_, count);
        piece_ = std::min(kPiece, piece_ * 2);
    }
    if (careful_ == 0) {
        piece_ = kPiece;
        batch_ = std::min(rules_.batch, batch_ * 2);
    }
}

bool LaneFsm::undone(std::uint32_t count) {
    disturbances_ = 0;
    if (rules_.by_message && careful_ == 0) {
        careful_ = count;
        piece_ = std::min(kPiece, count);
        batch_ = std::max(1U, count / 2);
        return count == 1;
    }
    std::uint32_t& size = rules_.by_message ? piece_ : batch_;
    size = std::max(1U, count / 2);
    return count == 1;
}

void LaneFsm::disturbed(core::SteadyTime now, double random01) {
    const auto pause = rules_.retry.backoff.delay(disturbances_++, random01);
    paused_until_ = now + std::chrono::duration_cast<core::SteadyTime::duration>(pause);
}

void LaneFsm::parked_done() {
    disturbances_ = 0;
    parked_turn_ = false;
}

void LaneFsm::start_over() {
    retries_.clear();
    parked_.clear();
    careful_ = 0;
    piece_ = kPiece;
}

Judgement LaneFsm::judge_failure(std::int64_t number, Failure failure) const {
    const RetryState* const before = retry_of(number);
    failure.room = parked_.size() + failure.set_aside < rules_.parked_keys;
    return judge(rules_.retry, before ? *before : RetryState{}, failure);
}

void LaneFsm::failed(std::int64_t number, RetryState state) {
    retries_[number] = state;
}

void LaneFsm::forget(std::int64_t number) {
    if (!retries_.empty()) retries_.erase(number);
}

std::uint32_t LaneFsm::attempts(std::int64_t number) const {
    const RetryState* const state = retry_of(number);
    return state ? state->attempts : 0;
}

const RetryState* LaneFsm::retry_of(std::int64_t number) const {
    const auto found = retries_.find(number);
    return found == retries_.end() ? nullptr : &found->second;
}

void LaneFsm::begin_with(std::uint32_t count) {
    batch_ = std::clamp(count, 1U, rules_.batch);
}

}  // namespace sluice::outbox
