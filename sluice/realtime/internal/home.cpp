#include "sluice/realtime/internal/home.hpp"

#include <algorithm>
#include <utility>

namespace sluice::realtime {
namespace {

constexpr std::uint32_t kMostDoublings = 5;
constexpr std::uint32_t kMostAttempts = 4;  // of answering waiters, before they are told to come back

}  // namespace

void SourcedHome::subscribe(const Waiter& waiter, const std::optional<ChannelPosition>& from) {
    if (known_ && from && from->epoch == epoch_ && !members_need_reset_ && ring_.covers(from->version, last_)) {
        has_members_ = true;
        actions_.answer(waiter, AnswerKind::frames, nullptr, from->version);
        return repair();
    }
    if (waiting_.size() >= limits_.max_waiting) {
        actions_.refuse(waiter, SourceError::unavailable);
        return;
    }
    waiting_.push_back(waiter);
    if (!snapshot_) ask_open();
}

/// A newer epoch than any heard of makes what is held of an older one worthless.
void SourcedHome::hear(const std::string& epoch) {
    if (!epoch_rises(held_epoch_, epoch)) return;
    held_epoch_ = epoch;
    held_.clear();
    target_ = {};
}

void SourcedHome::hold(const Frame& frame) {
    held_.emplace(frame.version, frame);
    if (held_.size() <= limits_.repair_frames) return;
    target_ = std::max(target_, held_.rbegin()->first);  // fetched with the gap
    held_.clear();
}

void SourcedHome::forget_position() noexcept {
    known_ = false;
    ring_.clear();
    held_.clear();
    target_ = {};
    snapshot_.reset();
}

void SourcedHome::publish(const std::string& epoch, std::span<const Frame> frames, core::SteadyTime now) {
    if (known_ && epoch_rises(epoch, epoch_)) return;
    if (!epoch_rises(epoch, held_epoch_)) {
        hear(epoch);
        for (const Frame& frame : frames) {
            if (!known_ || epoch != epoch_)
                hold(frame);
            else if (frame.version == last_.next())
                take(frame, now);
            else if (frame.version > last_)
                hold(frame);
        }
    }
    if (!known_) return;  // the state that is being read decides where to begin
    if (epoch_rises(epoch_, held_epoch_)) return ask_reset();
    settle(now);
}

void SourcedHome::lost(const std::string& epoch, core::Version version, core::SteadyTime now) {
    if ((known_ && epoch_rises(epoch, epoch_)) || epoch_rises(epoch, held_epoch_)) return;
    hear(epoch);
    target_ = std::max(target_, version);
    if (!known_) return;
    if (epoch_rises(epoch_, held_epoch_)) return ask_reset();
    settle(now);
}

void SourcedHome::take(const Frame& frame, core::SteadyTime now) {
    last_ = frame.version;
    ring_.push(frame, now);
    taken_.push_back(frame);
}

/// Takes what is held and fits, sends everything taken, and sees to the gap in front of the rest.
void SourcedHome::settle(core::SteadyTime now) {
    if (held_epoch_ != epoch_) {  // what is held belongs to an epoch that only a state leads to
        send_taken();
        return ask_reset();
    }
    while (!held_.empty() && held_.begin()->first <= last_.next()) {
        if (held_.begin()->first > last_) take(held_.begin()->second, now);
        held_.erase(held_.begin());
    }
    send_taken();
    if (snapshot_ && last_ >= snapshot_->version) answer_all(*std::exchange(snapshot_, std::nullopt));
    if (!has_gap()) return;
    if (has_audience())
        repair();
    else
        skip_gap(now);
}

void SourcedHome::send_taken() {
    if (taken_.empty()) return;
    if (has_members_) actions_.frames(epoch_, taken_);
    taken_.clear();
}

/// Nobody is listening: the ring begins again behind the gap.
void SourcedHome::skip_gap(core::SteadyTime now) {
    if (held_.empty() || target_ > held_.begin()->first) return forget_position();
    ring_.clear();
    last_ = core::Version(held_.begin()->first.value() - 1);
    settle(now);
}

void SourcedHome::repair() {
    if (ranging_ || opening_ || retrying_ || !has_gap()) return;
    const core::Version to = held_.empty() ? target_ : core::Version(held_.begin()->first.value() - 1);
    ranging_ = true;
    ranging_epoch_ = epoch_;
    ranging_to_ = to;
    actions_.range(epoch_, last_, to);
}

void SourcedHome::ask_open() {
    if (opening_ || retrying_) return;
    opening_ = true;
    actions_.open();
}

/// Members cannot get from where they are to the present by frames.
void SourcedHome::ask_reset() {
    if (!has_audience()) return forget_position();
    members_need_reset_ = has_members_;
    snapshot_.reset();
    ask_open();
}

void SourcedHome::pause_and_retry() {
    if (retrying_) return;
    retrying_ = true;
    actions_.retry_in(limits_.retry * (1U << std::min(failures_++, kMostDoublings)));
}

void SourcedHome::on_retry(core::SteadyTime now) {
    retrying_ = false;
    if (!has_audience()) return;
    if (members_need_reset_ || !known_ || (!waiting_.empty() && !snapshot_)) return ask_open();
    settle(now);
}

void SourcedHome::reset(const Snapshot& snapshot, core::SteadyTime now) {
    if (epoch_rises(snapshot.epoch, held_epoch_) || (known_ && epoch_rises(snapshot.epoch, epoch_))) return;
    hear(snapshot.epoch);
    if (!known_) {
        target_ = std::max(target_, snapshot.version);
        return;
    }
    if (snapshot.epoch == epoch_ && snapshot.version < last_) return;
    if (!has_audience()) return forget_position();
    move_to(snapshot);
    answer_all(snapshot);
    settle(now);
}

void SourcedHome::position(const std::string& epoch, core::Version version) {
    if (epoch_rises(epoch, held_epoch_) || (known_ && !epoch_rises(epoch_, epoch))) return;
    const bool clean = known_ && !has_gap() && !members_need_reset_ && !snapshot_ && epoch_rises(held_epoch_, epoch);
    hear(epoch);
    target_ = std::max(target_, version);
    if (!known_) return;
    if (!clean || !has_audience()) return ask_reset();
    epoch_ = epoch;
    last_ = version;
    ring_.clear();
    if (has_members_) actions_.position(epoch_, last_);
}

/// The channel stands at `snapshot` now, and whoever is a member is told.
void SourcedHome::move_to(const Snapshot& snapshot) {
    if (has_members_) actions_.reset(snapshot);
    members_need_reset_ = false;
    snapshot_.reset();
    known_ = true;
    epoch_ = snapshot.epoch;
    last_ = snapshot.version;
    ring_.clear();
    hear(epoch_);
    held_.erase(held_.begin(), held_.upper_bound(last_));
    if (target_ <= last_) target_ = {};
}

void SourcedHome::answer_all(const Snapshot& snapshot) {
    if (waiting_.empty()) return;
    if (!ring_.covers(snapshot.version, last_)) return ask_open();  // more arrived meanwhile than the ring holds
    has_members_ = true;
    for (const Waiter& waiter : std::exchange(waiting_, {}))
        actions_.answer(waiter, AnswerKind::state, &snapshot, snapshot.version);
}

void SourcedHome::refuse_all(SourceError error) {
    for (const Waiter& waiter : std::exchange(waiting_, {}))
        actions_.refuse(waiter, error);
}

void SourcedHome::on_opened(std::expected<Snapshot, SourceError> answer, core::SteadyTime now) {
    opening_ = false;
    if (!answer) return on_open_failed(answer.error());
    const bool behind_members = members_need_reset_ && answer->epoch == epoch_ && answer->version < last_;
    if (epoch_rises(answer->epoch, held_epoch_) || (known_ && epoch_rises(answer->epoch, epoch_)) || behind_members) {
        // Older than what has been heard of since: read again.
        if (failures_ >= kMostAttempts) refuse_all(SourceError::unavailable);
        return pause_and_retry();
    }
    failures_ = 0;
    on_snapshot(*answer, now);
}

void SourcedHome::on_snapshot(const Snapshot& snapshot, core::SteadyTime now) {
    const bool same_epoch = known_ && snapshot.epoch == epoch_;
    if (!same_epoch || members_need_reset_ || (!has_members_ && snapshot.version > last_)) {
        move_to(snapshot);
        answer_all(snapshot);
    } else if (snapshot.version <= last_) {
        answer_all(snapshot);
    } else {  // members have to get the frames in between first
        if (!waiting_.empty()) snapshot_ = snapshot;
        target_ = std::max(target_, snapshot.version);
    }
    settle(now);
}

void SourcedHome::on_open_failed(SourceError error) {
    refuse_all(error == SourceError::not_found ? error : SourceError::unavailable);
    if (error == SourceError::not_found && members_need_reset_) {
        members_need_reset_ = false;
        actions_.lose_members();
        forget_position();
        return;
    }
    if (!known_) return forget_position();
    if (members_need_reset_ || has_gap()) pause_and_retry();
}

void SourcedHome::on_range(std::expected<std::vector<Frame>, SourceError> answer, core::SteadyTime now) {
    ranging_ = false;
    if (!known_) return;
    if (ranging_epoch_ != epoch_) return settle(now);
    if (!answer && answer.error() == SourceError::unavailable) return on_range_unavailable();
    if (answer)
        for (const Frame& frame : *answer)
            if (frame.version == last_.next()) take(frame, now);
    if (last_ < ranging_to_ && (!answer || taken_.empty())) return ask_reset();  // the range is gone
    failures_ = 0;
    settle(now);
}

void SourcedHome::on_range_unavailable() {
    if (failures_ >= kMostAttempts) {
        snapshot_.reset();
        refuse_all(SourceError::unavailable);
    }
    pause_and_retry();
}

}  // namespace sluice::realtime
