// What travels between a home and the shards: frames encoded once, and how many members they reached.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/realtime/address.hpp"
#include "sluice/realtime/ids.hpp"
#include "sluice/realtime/ws/frame_codec.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::realtime {

/// How a message looks to a kind of connection. A channel's frames are encoded once per kind that has members.
enum class Encoding : std::uint8_t { sluice_v1, gateway };
inline constexpr std::size_t kEncodings = 2;

/// Whole WebSocket frames in a row.
struct EncodedFrames {
    std::string bytes;
    std::vector<std::uint32_t> ends;

    void add(std::string_view payload) {
        ws::append_frame(bytes, ws::Opcode::text, payload);
        ends.push_back(static_cast<std::uint32_t>(bytes.size()));
    }
};
using SharedFrames = std::shared_ptr<const EncodedFrames>;  // by every shard with members

/// The members of a channel on one shard that speak one encoding.
struct RoomKey {
    ChannelAddress channel;
    Encoding encoding = Encoding::sluice_v1;
    friend bool operator==(const RoomKey&, const RoomKey&) = default;
};

struct RoomKeyHash {
    std::size_t operator()(const RoomKey& key) const noexcept {
        return hash_of(key.channel) + static_cast<std::size_t>(key.encoding);
    }
};

/// Sums over shards how many members a broadcast reached; answers when the last has reported. Any thread.
class ReachCounter {
public:
    explicit ReachCounter(runtime::Answer<std::size_t> answer) : answer_(std::move(answer)) {}
    /// Before `shards` reports are asked for.
    void expect(std::uint32_t shards) noexcept { pending_.fetch_add(shards); }
    void report(std::size_t reached) {
        reached_.fetch_add(reached);
        if (pending_.fetch_sub(1) == 1) answer_(reached_.load());
    }

private:
    std::atomic<std::size_t> reached_{0};
    std::atomic<std::uint32_t> pending_{1};  // the one who asks
    runtime::Answer<std::size_t> answer_;
};
using SharedCounter = std::shared_ptr<ReachCounter>;  // by every shard that reports

/// An event to members: `except` is skipped, `counter` may be null.
struct Delivery {
    SharedFrames frames;
    ConnectionId except{};
    SharedCounter counter;
};

}  // namespace sluice::realtime
