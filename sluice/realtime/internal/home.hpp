// The home of one channel of a source, as a state machine without I/O: it alone decides which frames leave, in which
// order, and where a subscriber joins. Inputs are what happened, outputs go to HomeActions.
//
// Invariants: frames leave dense within an epoch, each once; epochs only rise; an answer carries a position from which
// the frames that follow it continue without gap. The rules are docs/realtime.md, "Subscribing".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/realtime/channel_source.hpp"
#include "sluice/realtime/ids.hpp"
#include "sluice/realtime/internal/ring.hpp"

namespace sluice::realtime {

struct ChannelPosition {
    std::string epoch;
    core::Version version;
    friend bool operator==(const ChannelPosition&, const ChannelPosition&) = default;
};

/// One subscriber that waits for its answer.
struct Waiter {
    std::uint32_t shard = 0;
    ConnectionId connection;
    std::uint32_t token = 0;  ///< the connection's name for this subscription
};

/// How a subscriber gets to where the channel stands now.
enum class AnswerKind : std::uint8_t {
    state,   ///< `snapshot`, then the frames behind it
    frames,  ///< the frames behind `after`, which is where the client stood
    plain,   ///< nothing: a room
    fresh,   ///< nothing was asked for: from the channel's present position on
    lost,    ///< from the present position on; what lies between is no longer kept
};

struct HomeLimits {
    RingLimits ring;
    std::size_t repair_frames = 4096;
    std::size_t max_waiting = 10'000;
    std::chrono::milliseconds retry{250};
};

/// What a home wants done. Calls come during its inputs; implementations do not call back into the home.
class HomeActions {
public:
    /// Ask the source for the state; answer with on_opened.
    virtual void open() = 0;
    /// Ask the source for versions (after, to]; answer with on_range.
    virtual void range(const std::string& epoch, core::Version after, core::Version to) = 0;
    /// Call on_retry after `pause`.
    virtual void retry_in(std::chrono::milliseconds pause) = 0;
    /// To every member: consecutive frames.
    virtual void frames(const std::string& epoch, std::span<const Frame> frames) = 0;
    virtual void reset(const Snapshot& snapshot) = 0;
    virtual void position(const std::string& epoch, core::Version version) = 0;
    /// The waiter's shard becomes a member's shard. With `state`, `snapshot` is set and the frames behind it follow
    /// from the ring; with `frames`, those behind `after`.
    virtual void answer(const Waiter& waiter, AnswerKind kind, const Snapshot* snapshot, core::Version after) = 0;
    virtual void refuse(const Waiter& waiter, SourceError error) = 0;
    /// Every member has lost its position for good.
    virtual void lose_members() = 0;

protected:
    ~HomeActions() = default;
};

class SourcedHome {
public:
    SourcedHome(HomeLimits limits, HomeActions& actions) noexcept
        : limits_(limits), ring_(limits.ring), actions_(actions) {}

    void subscribe(const Waiter& waiter, const std::optional<ChannelPosition>& from);
    /// The last shard with members has none left. An answer makes members again.
    void no_members() noexcept {
        has_members_ = false;
        members_need_reset_ = false;
    }

    void publish(const std::string& epoch, std::span<const Frame> frames, core::SteadyTime now);
    void reset(const Snapshot& snapshot, core::SteadyTime now);
    void position(const std::string& epoch, core::Version version);
    /// Frames up to `version` of `epoch` exist that will not arrive.
    void lost(const std::string& epoch, core::Version version, core::SteadyTime now);

    void on_opened(std::expected<Snapshot, SourceError> answer, core::SteadyTime now);
    void on_range(std::expected<std::vector<Frame>, SourceError> answer, core::SteadyTime now);
    void on_retry(core::SteadyTime now);

    /// Nothing but the ring would be lost with it.
    [[nodiscard]] bool idle() const noexcept { return !has_audience() && !opening_ && !ranging_; }
    [[nodiscard]] const Ring& ring() const noexcept { return ring_; }
    /// Gives the ring's memory back; who comes back starts from the state.
    void forget_ring() noexcept { ring_.clear(); }
    [[nodiscard]] const std::string& epoch() const noexcept { return epoch_; }
    [[nodiscard]] core::Version last() const noexcept { return last_; }

private:
    [[nodiscard]] bool has_audience() const noexcept { return has_members_ || !waiting_.empty(); }
    [[nodiscard]] bool has_gap() const noexcept { return held_epoch_ == epoch_ && (!held_.empty() || target_ > last_); }
    void hear(const std::string& epoch);
    void hold(const Frame& frame);
    void forget_position() noexcept;
    void take(const Frame& frame, core::SteadyTime now);
    void settle(core::SteadyTime now);
    void send_taken();
    void skip_gap(core::SteadyTime now);
    void repair();
    void ask_open();
    void ask_reset();
    void pause_and_retry();
    void move_to(const Snapshot& snapshot);
    void answer_all(const Snapshot& snapshot);
    void refuse_all(SourceError error);
    void on_snapshot(const Snapshot& snapshot, core::SteadyTime now);
    void on_open_failed(SourceError error);
    void on_range_unavailable();

    HomeLimits limits_;
    Ring ring_;
    HomeActions& actions_;

    bool known_ = false;  // epoch_ and last_ mean something
    std::string epoch_;
    core::Version last_;
    std::vector<Frame> taken_;  // applied in this input, not yet sent

    // What was heard of but cannot leave yet: frames of held_epoch_ behind a gap, and how far it is known to reach.
    std::string held_epoch_;
    std::map<core::Version, Frame> held_;
    core::Version target_;

    std::vector<Waiter> waiting_;
    std::optional<Snapshot> snapshot_;  // read, but members have to catch up before it can be handed out
    std::string ranging_epoch_;
    core::Version ranging_to_;
    bool has_members_ = false;
    bool opening_ = false;
    bool ranging_ = false;
    bool retrying_ = false;
    bool members_need_reset_ = false;
    std::uint32_t failures_ = 0;
};

}  // namespace sluice::realtime
