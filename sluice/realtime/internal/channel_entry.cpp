#include "sluice/realtime/internal/channel_entry.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <boost/system/system_error.hpp>

#include "sluice/core/error.hpp"
#include "sluice/realtime/internal/hub_shard.hpp"
#include "sluice/realtime/protocol/encode.hpp"

namespace sluice::realtime {
namespace {

RingLimits ring_limits_of(const HubSettings& settings, const NamespaceConfig& config) {
    if (config.history == History::source) return {settings.ring_frames, settings.ring_bytes};
    return {config.memory_frames, config.memory_bytes};
}

HomeLimits home_limits_of(const HubSettings& settings) {
    return {{settings.ring_frames, settings.ring_bytes},
            settings.repair_frames,
            settings.max_waiting,
            settings.source_retry};
}

std::shared_ptr<const std::string> no_state() {
    static const auto text = std::make_shared<const std::string>("null");
    return text;
}

}  // namespace

ChannelEntry::ChannelEntry(HomeTable& table, const ChannelAddress& channel, const NamespaceConfig& config)
    : table_(table),
      channel_(channel),
      wire_(format_channel(channel)),
      config_(config),
      memory_(ring_limits_of(table.config_.settings, config)) {
    if (config.history == History::source)
        home_.emplace(home_limits_of(table.config_.settings), *this);
    else
        epoch_ = fmt::format("{}-{}-{}", table.config_.run, table.shard_.index(), table.next_incarnation_++);
}

ChannelEntry::Interest& ChannelEntry::interest_of(std::uint32_t shard, Encoding encoding) {
    for (Interest& interest : interests_)
        if (interest.shard == shard && interest.encoding == encoding) return interest;
    return interests_.emplace_back(Interest{shard, encoding, 0, std::nullopt});
}

void ChannelEntry::leave(Encoding encoding, std::uint32_t shard, std::uint64_t grant) {
    std::erase_if(interests_, [&](const Interest& interest) {
        return interest.shard == shard && interest.encoding == encoding && interest.grant == grant;
    });
    if (interests_.empty() && home_) home_->no_members();
}

bool ChannelEntry::idle() const noexcept {
    return interests_.empty() && (!home_ || home_->idle());
}

bool ChannelEntry::worth_keeping(core::SteadyTime now) {
    if (config_.history != History::memory) return false;
    memory_.expire(now - config_.memory_age);
    return !memory_.empty();
}

std::size_t ChannelEntry::ring_bytes() const noexcept {
    return ring().bytes();
}

void ChannelEntry::forget_ring() noexcept {
    if (home_)
        home_->forget_ring();
    else
        memory_.clear();
}

// What comes in

void ChannelEntry::subscribe(const SubscribeRequest& request) {
    const Waiter waiter{request.shard, request.connection, request.token};
    if (config_.history == History::none) return answer(waiter, AnswerKind::plain, nullptr, {});
    if (!home_) return subscribe_memory(request);
    std::optional<ChannelPosition> from;
    if (request.from) from = ChannelPosition{request.from->epoch, request.from->version};
    home_->subscribe(waiter, from);
}

void ChannelEntry::subscribe_memory(const SubscribeRequest& request) {
    const Waiter waiter{request.shard, request.connection, request.token};
    memory_.expire(table_.shard_.now() - config_.memory_age);
    if (!request.from) return answer(waiter, AnswerKind::fresh, nullptr, last_);
    const bool kept = request.from->epoch == epoch_ && memory_.covers(request.from->version, last_);
    answer(waiter, kept ? AnswerKind::frames : AnswerKind::lost, nullptr, kept ? request.from->version : last_);
}

void ChannelEntry::publish(const ChannelChange& change, core::SteadyTime now) {
    if (!home_) return;
    switch (change.kind) {
        case ChannelChange::Kind::frames:
            return home_->publish(change.epoch, change.frames, now);
        case ChannelChange::Kind::reset:
            return home_->reset({change.epoch, change.version, change.state_json}, now);
        case ChannelChange::Kind::position:
            return home_->position(change.epoch, change.version);
    }
}

void ChannelEntry::lost(const std::string& epoch, core::Version version, core::SteadyTime now) {
    if (home_) home_->lost(epoch, version, now);
}

void ChannelEntry::on_retry(core::SteadyTime now) {
    if (home_) home_->on_retry(now);
}

void ChannelEntry::event(const EventRequest& request, core::SteadyTime now) {
    if (config_.history == History::memory) {
        memory_.expire(now - config_.memory_age);
        last_ = last_.next();
        memory_.push({last_, request.event, request.data_json, request.from_client}, now);
    }
    SharedFrames encoded[kEncodings];
    for (std::size_t i = 0; i < interests_.size(); ++i) {
        Interest& interest = interests_[i];
        if (interest.lagging_from) continue;
        SharedFrames& frames = encoded[static_cast<std::size_t>(interest.encoding)];
        if (!frames) frames = encode_event(interest.encoding, request);
        if (request.counter) request.counter->expect(1);
        if (deliver(interest, {frames, request.except, request.counter}, true)) continue;
        if (request.counter) request.counter->report(0);
        interest.lagging_from = core::Version(last_.value() - 1);
        table_.lagging_.push_back(channel_);
    }
}

// What goes out

bool ChannelEntry::deliver(const Interest& interest, Delivery delivery, bool may_refuse) {
    HubShard& target = *table_.config_.shards[interest.shard];
    const RoomKey key{channel_, interest.encoding};
    if (&target == &table_.shard_) {
        target.deliver(key, delivery);
        return true;
    }
    runtime::Message message = [&target, key, delivery = std::move(delivery)] { target.deliver(key, delivery); };
    if (may_refuse) return target.shard().try_post(message);
    target.shard().post(std::move(message));
    return true;
}

void ChannelEntry::deliver_to_all(const SharedFrames& frames) {
    for (Interest& interest : interests_) {
        // The frame replaces everything before it, so a shard that lags has nothing left to catch up with.
        interest.lagging_from.reset();
        deliver(interest, {frames, {}, nullptr}, false);
    }
}

SharedFrames ChannelEntry::encode_frames(const std::string& epoch, std::span<const Frame> frames) const {
    auto encoded = std::make_shared<EncodedFrames>();
    std::string text;
    for (const Frame& frame : frames) {
        text.clear();
        if (home_)
            protocol::append_delta(text, wire_, epoch, frame);
        else
            protocol::append_event(text, {wire_, protocol::PositionView{epoch, frame.version}, frame.event,
                                          frame.data_json, frame.from_client});
        encoded->add(text);
    }
    return encoded;
}

SharedFrames ChannelEntry::encode_event(Encoding encoding, const EventRequest& request) const {
    auto encoded = std::make_shared<EncodedFrames>();
    std::string text;
    if (encoding == Encoding::gateway) {
        protocol::append_gateway_event(text, request.event, request.data_json);
    } else {
        protocol::Event event{wire_, std::nullopt, request.event, request.data_json, request.from_client};
        if (config_.history == History::memory) event.position = protocol::PositionView{epoch_, last_};
        protocol::append_event(text, event);
    }
    encoded->add(text);
    return encoded;
}

void ChannelEntry::frames(const std::string& epoch, std::span<const Frame> frames) {
    const SharedFrames encoded = encode_frames(epoch, frames);
    for (Interest& interest : interests_) {
        if (interest.lagging_from || deliver(interest, {encoded, {}, nullptr}, true)) continue;
        interest.lagging_from = core::Version(frames.front().version.value() - 1);
        table_.lagging_.push_back(channel_);
    }
}

void ChannelEntry::reset(const Snapshot& snapshot) {
    auto encoded = std::make_shared<EncodedFrames>();
    std::string text;
    protocol::append_reset_head(text, wire_, {snapshot.epoch, snapshot.version}, true);
    text += snapshot.state_json ? *snapshot.state_json : *no_state();
    text += '}';
    encoded->add(text);
    deliver_to_all(encoded);
}

void ChannelEntry::position(const std::string& epoch, core::Version version) {
    auto encoded = std::make_shared<EncodedFrames>();
    std::string text;
    protocol::append_position(text, wire_, {epoch, version});
    encoded->add(text);
    for (Interest& interest : interests_) {
        if (interest.lagging_from)
            lose(interest);  // it has not been handed the state that got a new name
        else
            deliver(interest, {encoded, {}, nullptr}, false);
    }
}

bool ChannelEntry::catch_up_lagging() {
    bool all = true;
    for (Interest& interest : interests_)
        if (interest.lagging_from) all = catch_up(interest, true) && all;
    return all;
}

bool ChannelEntry::catch_up(Interest& interest, bool may_refuse) {
    const core::Version from = *interest.lagging_from;
    const bool numbered = config_.history != History::none;
    if (!numbered || interest.encoding != Encoding::sluice_v1 || !ring().covers(from, last())) {
        interest.lagging_from.reset();
        lose(interest);
        return true;
    }
    if (!deliver(interest, {encode_frames(epoch(), ring().after(from)), {}, nullptr}, may_refuse)) return false;
    interest.lagging_from.reset();
    return true;
}

void ChannelEntry::lose(const Interest& interest) {
    HubShard& target = *table_.config_.shards[interest.shard];
    target.shard().post([&target, key = RoomKey{channel_, interest.encoding}] { target.lose_members(key); });
}

void ChannelEntry::lose_members() {
    for (const Interest& interest : interests_)
        lose(interest);
}

void ChannelEntry::answer(const Waiter& waiter, AnswerKind kind, const Snapshot* snapshot, core::Version after) {
    Interest& interest = interest_of(waiter.shard, Encoding::sluice_v1);
    if (interest.lagging_from) catch_up(interest, false);
    interest.grant = table_.next_grant_++;
    AnswerMessage message{channel_,          waiter.connection, waiter.token, interest.grant, kind,
                          {epoch(), last()}, nullptr,           nullptr,      nullptr};
    if (kind == AnswerKind::state) {
        message.position.version = snapshot->version;
        message.state = snapshot->state_json ? snapshot->state_json : no_state();
    }
    const bool behind = (kind == AnswerKind::state || kind == AnswerKind::frames) && after < last();
    if (behind && (cached_.epoch != epoch() || cached_.after != after || cached_.last != last()))
        cached_ = {epoch(), after, last(), nullptr, nullptr};
    if (kind == AnswerKind::state && behind) {
        if (!cached_.frames) cached_.frames = encode_frames(epoch(), ring().after(after));
        message.catch_up = cached_.frames;
    } else if (kind == AnswerKind::frames && behind) {
        if (!cached_.frames_json) {
            auto json = std::make_shared<std::string>();
            protocol::append_frames_array(*json, ring().after(after));
            cached_.frames_json = std::move(json);
        }
        message.frames_json = cached_.frames_json;
    }
    HubShard& target = *table_.config_.shards[waiter.shard];
    if (&target == &table_.shard_)
        target.answer(message);
    else
        target.shard().post([&target, message = std::move(message)] { target.answer(message); });
}

void ChannelEntry::refuse(const Waiter& waiter, SourceError error) {
    const auto code =
        error == SourceError::not_found ? protocol::ErrorCode::forbidden : protocol::ErrorCode::overloaded;
    HubShard& target = *table_.config_.shards[waiter.shard];
    target.shard().post(
        [&target, message = RefusalMessage{waiter.connection, waiter.token, code}] { target.refuse(message); });
}

// Sources

void ChannelEntry::open() {
    ++table_.state_.counters.source_opens;
    table_.calls_.run(
        "open " + wire_,
        [&table = table_, source = config_.source, channel = channel_] { return run_open(table, source, channel); },
        table_.state_.tick);
}

void ChannelEntry::range(const std::string& epoch, core::Version after, core::Version to) {
    ++table_.state_.counters.source_ranges;
    table_.calls_.run(
        "range " + wire_,
        [&table = table_, source = config_.source, channel = channel_, epoch, after, to] {
            return run_range(table, source, channel, epoch, after, to);
        },
        table_.state_.tick);
}

void ChannelEntry::retry_in(std::chrono::milliseconds pause) {
    table_.retries_.emplace_back(table_.state_.tick + table_.state_.ticks(pause), channel_);
}

runtime::Task<void> ChannelEntry::run_open(HomeTable& table, std::shared_ptr<ChannelSource> source,
                                           ChannelAddress channel) {
    std::expected<Snapshot, SourceError> answer = std::unexpected(SourceError::unavailable);
    try {
        answer = co_await source->open(channel);
    } catch (const std::exception& error) {
        table.config_.log.warn("state of {} could not be read: {}", format_channel(channel), error.what());
    }
    if (answer && answer->version.value() > core::kLargestVersion) answer = std::unexpected(SourceError::unavailable);
    table.on_opened(channel, std::move(answer));
}

runtime::Task<void> ChannelEntry::run_range(HomeTable& table, std::shared_ptr<ChannelSource> source,
                                            ChannelAddress channel, std::string epoch, core::Version after,
                                            core::Version to) {
    std::expected<std::vector<Frame>, SourceError> answer = std::unexpected(SourceError::unavailable);
    try {
        answer = co_await source->range(channel, epoch, after, to);
    } catch (const std::exception& error) {
        table.config_.log.warn("frames {}..{} of {} could not be read: {}", after, to, format_channel(channel),
                               error.what());
    }
    table.on_range(channel, std::move(answer));
}

}  // namespace sluice::realtime
