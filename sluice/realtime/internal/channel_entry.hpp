// One channel at its home: its state machine or ring, which shards have members, and what is sent to them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/realtime/internal/home.hpp"
#include "sluice/realtime/internal/home_table.hpp"
#include "sluice/realtime/protocol/commands.hpp"

namespace sluice::realtime {

/// From a home to the shard of a subscriber, in one queue with the channel's frames.
struct AnswerMessage {
    ChannelAddress channel;
    ConnectionId connection;
    std::uint32_t token = 0;
    std::uint64_t grant = 0;
    AnswerKind kind = AnswerKind::plain;
    ChannelPosition position;                        ///< not with plain
    std::shared_ptr<const std::string> state;        ///< with state; shared by all who wait
    std::shared_ptr<const std::string> frames_json;  ///< with frames; shared by all who come back from there
    SharedFrames catch_up;                           ///< with state: the frames behind it; may be null
};

struct RefusalMessage {
    ConnectionId connection;
    std::uint32_t token = 0;
    protocol::ErrorCode code = protocol::ErrorCode::internal;
};

/// Belongs to a HomeTable.
class ChannelEntry final : public HomeActions {
public:
    ChannelEntry(HomeTable& table, const ChannelAddress& channel, const NamespaceConfig& config);

    void subscribe(const SubscribeRequest& request);
    void join(Encoding encoding, std::uint32_t shard) { interest_of(shard, encoding); }
    void leave(Encoding encoding, std::uint32_t shard, std::uint64_t grant);
    void publish(const ChannelChange& change, core::SteadyTime now);
    void lost(const std::string& epoch, core::Version version, core::SteadyTime now);
    void event(const EventRequest& request, core::SteadyTime now);
    void on_opened(std::expected<Snapshot, SourceError> answer, core::SteadyTime now) {
        home_->on_opened(std::move(answer), now);
    }
    void on_range(std::expected<std::vector<Frame>, SourceError> answer, core::SteadyTime now) {
        home_->on_range(std::move(answer), now);
    }
    void on_retry(core::SteadyTime now);
    /// Offers again what a shard's full inbox refused. True when no shard lags any more.
    bool catch_up_lagging();
    void forget_ring() noexcept;

    [[nodiscard]] bool idle() const noexcept;
    [[nodiscard]] bool worth_keeping(core::SteadyTime now);
    [[nodiscard]] std::size_t ring_bytes() const noexcept;
    [[nodiscard]] const NamespaceConfig& config() const noexcept { return config_; }
    [[nodiscard]] const ChannelAddress& channel() const noexcept { return channel_; }

    Tick idle_since = 0;  ///< 0: it is not
    std::size_t counted_ring_bytes = 0;

    // HomeActions
    void open() override;
    void range(const std::string& epoch, core::Version after, core::Version to) override;
    void retry_in(std::chrono::milliseconds pause) override;
    void frames(const std::string& epoch, std::span<const Frame> frames) override;
    void reset(const Snapshot& snapshot) override;
    void position(const std::string& epoch, core::Version version) override;
    void answer(const Waiter& waiter, AnswerKind kind, const Snapshot* snapshot, core::Version after) override;
    void refuse(const Waiter& waiter, SourceError error) override;
    void lose_members() override;

private:
    struct Interest {
        std::uint32_t shard = 0;
        Encoding encoding = Encoding::sluice_v1;
        std::uint64_t grant = 0;
        std::optional<core::Version> lagging_from;  // its inbox was full: what came behind is still to be sent
    };

    Interest& interest_of(std::uint32_t shard, Encoding encoding);
    bool deliver(const Interest& interest, Delivery delivery, bool may_refuse);
    void deliver_to_all(const SharedFrames& frames);
    bool catch_up(Interest& interest, bool may_refuse);
    void lose(const Interest& interest);
    void subscribe_memory(const SubscribeRequest& request);
    [[nodiscard]] SharedFrames encode_event(Encoding encoding, const EventRequest& request) const;
    [[nodiscard]] SharedFrames encode_frames(const std::string& epoch, std::span<const Frame> frames) const;
    [[nodiscard]] const Ring& ring() const noexcept { return home_ ? home_->ring() : memory_; }
    [[nodiscard]] const std::string& epoch() const noexcept { return home_ ? home_->epoch() : epoch_; }
    [[nodiscard]] core::Version last() const noexcept { return home_ ? home_->last() : last_; }
    static runtime::Task<void> run_open(HomeTable& table, std::shared_ptr<ChannelSource> source,
                                        ChannelAddress channel);
    static runtime::Task<void> run_range(HomeTable& table, std::shared_ptr<ChannelSource> source,
                                         ChannelAddress channel, std::string epoch, core::Version after,
                                         core::Version to);

    HomeTable& table_;
    ChannelAddress channel_;
    std::string wire_;
    const NamespaceConfig& config_;
    std::vector<Interest> interests_;

    std::optional<SourcedHome> home_;  // with History::source

    Ring memory_;  // with History::memory
    std::string epoch_;
    core::Version last_;

    // The latest encodings for answers: many come back from the same place.
    struct Cached {
        std::string epoch;
        core::Version after;
        core::Version last;
        std::shared_ptr<const std::string> frames_json;
        SharedFrames frames;
    };
    Cached cached_;
};

}  // namespace sluice::realtime
