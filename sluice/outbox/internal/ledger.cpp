#include "sluice/outbox/internal/ledger.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/outbox/lane_hash.hpp"

namespace sluice::outbox {
namespace {

std::int64_t epoch_of(core::SystemTime now) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

}  // namespace

void Ledger::declare(std::int32_t queue, std::uint16_t lanes) {
    SLUICE_ASSERT(lanes > 0, "queue {} without lanes", queue);
    const auto [known, fresh] = queues_.try_emplace(queue, lanes);
    SLUICE_ASSERT(fresh || known->second == lanes, "queue {} declared with {} lanes, then {}", queue, known->second,
                  lanes);
}

core::Sequence Ledger::head(LaneRef lane) const noexcept {
    const auto found = heads_.find(lane.queue);
    if (found == heads_.end() || lane.lane.value() >= found->second.size()) return core::Sequence(0);
    return core::Sequence(found->second[lane.lane.value()]);
}

core::Epoch Ledger::raised_epoch(core::SystemTime now) const noexcept {
    return core::Epoch(std::max(epoch_.value() + 1, epoch_of(now)));
}

Plan Ledger::plan(std::span<const NewMessage> messages, core::SystemTime now) const {
    SLUICE_ASSERT(!messages.empty() && (order_ == IdOrder::any || messages.front().id > highest_id_),
                  "a tick of {} messages after id {}", messages.size(), highest_id_);
    Plan plan;
    plan.placements.reserve(messages.size());
    std::map<LaneRef, LaneRun> runs;
    std::int64_t position = head_.value();
    for (const NewMessage& message : messages) {
        const auto queue = queues_.find(message.queue);
        if (queue == queues_.end()) {
            plan.placements.emplace_back();
            continue;
        }
        const LaneRef lane{message.queue, lane_of(message.key, message.id, queue->second)};
        LaneRun& run = runs[lane];
        if (run.ids.empty()) run.first = head(lane).next();
        const auto sequence = run.first.value() + static_cast<std::int64_t>(run.ids.size());
        run.ids.push_back(message.id);
        plan.placements.emplace_back(Placement{lane.lane, core::Sequence(sequence), core::Position(++position)});
    }
    Tick& tick = plan.tick;
    tick.n = newest_ + 1;
    tick.epoch = newest_ > 0 ? epoch_ : raised_epoch(now);
    tick.time = now;
    tick.first_position = head_.next();
    tick.lowest_id = messages.front().id;
    tick.highest_id = messages.back().id;
    tick.runs.reserve(runs.size());
    for (auto& [lane, run] : runs) {
        run.lane = lane;
        tick.runs.push_back(std::move(run));
    }
    if (tick.n == 1 || tick.n % kCheckpointEvery == 0) tick.checkpoint = checkpoint();
    return plan;
}

std::expected<void, std::string> Ledger::apply(const Tick& tick) {
    if (newest_ == 0 && tick.checkpoint) {
        restore(tick);
    } else if (auto fits = check(tick); !fits) {
        return fits;
    }
    for (const LaneRun& run : tick.runs) {
        std::vector<std::int64_t>& lanes = heads_[run.lane.queue];
        if (lanes.size() <= run.lane.lane.value()) lanes.resize(run.lane.lane.value() + std::size_t{1});
        lanes[run.lane.lane.value()] += static_cast<std::int64_t>(run.ids.size());
    }
    newest_ = tick.n;
    epoch_ = tick.epoch;
    highest_id_ = std::max(highest_id_, tick.highest_id);
    head_ = core::Position(tick.first_position.value() + tick.count() - 1);
    return {};
}

std::expected<void, std::string> Ledger::check(const Tick& tick) const {
    if (tick.n != newest_ + 1) return std::unexpected(fmt::format("tick {} follows tick {}", tick.n, newest_));
    if (tick.first_position != head_.next())
        return std::unexpected(
            fmt::format("tick {} begins at position {}, not {}", tick.n, tick.first_position, head_.next()));
    if (auto fits = check_ids(tick); !fits) return fits;
    if (tick.epoch < epoch_)
        return std::unexpected(fmt::format("tick {} has epoch {} after {}", tick.n, tick.epoch, epoch_));
    for (const LaneRun& run : tick.runs) {
        if (run.first != head(run.lane).next())
            return std::unexpected(fmt::format("tick {} begins lane {} of queue {} at {}, not {}", tick.n,
                                               run.lane.lane, run.lane.queue, run.first, head(run.lane).next()));
    }
    return {};
}

std::expected<void, std::string> Ledger::check_ids(const Tick& tick) const {
    const bool overlaps = order_ == IdOrder::rising && tick.lowest_id <= highest_id_;
    if (!overlaps && tick.lowest_id <= tick.highest_id) return {};
    return std::unexpected(
        fmt::format("tick {} covers ids {} to {} after id {}", tick.n, tick.lowest_id, tick.highest_id, highest_id_));
}

void Ledger::restore(const Tick& tick) {
    heads_.clear();
    for (const NextSequence& entry : *tick.checkpoint) {
        std::vector<std::int64_t>& lanes = heads_[entry.lane.queue];
        if (lanes.size() <= entry.lane.lane.value()) lanes.resize(entry.lane.lane.value() + std::size_t{1});
        lanes[entry.lane.lane.value()] = entry.next.value() - 1;
    }
}

std::vector<NextSequence> Ledger::checkpoint() const {
    std::vector<NextSequence> entries;
    for (const auto& [queue, lanes] : heads_) {
        for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
            if (lanes[lane] == 0) continue;
            const LaneRef ref{queue, core::LaneId(static_cast<std::uint16_t>(lane))};
            entries.push_back({ref, core::Sequence(lanes[lane] + 1)});
        }
    }
    return entries;
}

}  // namespace sluice::outbox
