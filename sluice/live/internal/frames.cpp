#include "sluice/live/internal/frames.hpp"

#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "sluice/live/projection_channels.hpp"

namespace sluice::live::internal {
namespace {

std::vector<realtime::Frame> frames_of(const std::string& event_name, const projection::KeyChange& change) {
    std::vector<realtime::Frame> frames;
    frames.reserve(change.deltas.size());
    core::Version version = change.first_version;
    for (const std::string& delta : change.deltas) {
        frames.push_back({version, event_name, delta});
        version = version.next();
    }
    return frames;
}

realtime::ChannelChange to_change(realtime::ChannelAddress address, const std::string& event_name,
                                  const projection::KeyChange& change) {
    using Kind = realtime::ChannelChange::Kind;
    realtime::ChannelChange shown{
        .address = std::move(address), .epoch = to_text(change.epoch), .version = change.version};
    switch (change.kind) {
        case projection::ChangeKind::deltas:
            shown.kind = Kind::frames;
            shown.frames = frames_of(event_name, change);
            break;
        case projection::ChangeKind::position:
            shown.kind = Kind::position;
            break;
        case projection::ChangeKind::reset:
        case projection::ChangeKind::removed:  // what is left is the empty state, at the last version
            shown.kind = Kind::reset;
            shown.state_json = std::make_shared<const std::string>(change.state);
            break;
    }
    return shown;
}

}  // namespace

std::optional<ChannelName> parse_name(const realtime::ChannelAddress& address) {
    auto segments = realtime::segments_of(address);
    if (segments.size() != 2) return std::nullopt;
    return ChannelName{std::move(segments[0]), std::move(segments[1])};
}

std::string to_text(core::Epoch epoch) {
    return fmt::format("{}", epoch.value());
}

std::optional<core::Epoch> parse_epoch(std::string_view text) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
    if (!whole || to_text(core::Epoch(number)) != text) return std::nullopt;
    return core::Epoch(number);
}

realtime::Snapshot to_snapshot(projection::RawState raw) {
    return {to_text(raw.epoch), raw.version, std::make_shared<const std::string>(std::move(raw.state))};
}

std::vector<realtime::Frame> to_frames(const std::string& event_name, std::vector<projection::RawDelta> deltas) {
    std::vector<realtime::Frame> frames;
    frames.reserve(deltas.size());
    for (auto& one : deltas)
        frames.push_back({one.version, event_name, std::move(one.delta)});
    return frames;
}

std::shared_ptr<const realtime::ChannelBatch> to_channels(const tenant::TenantId& tenant,
                                                          const projection::DeltaBatch& batch) {
    auto shown = std::make_shared<realtime::ChannelBatch>();
    shown->changes.reserve(batch.changes.size());
    for (const projection::KeyChange& change : batch.changes) {
        auto address = realtime::make_channel(tenant, kNamespace, {batch.projection, change.key});
        if (address) shown->changes.push_back(to_change(std::move(*address), batch.event_name, change));
    }
    return shown;
}

}  // namespace sluice::live::internal
