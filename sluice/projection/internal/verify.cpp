#include "sluice/projection/internal/verify.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace sluice::projection::internal {
namespace {

/// How far each lane had been folded at the snapshot. Merged: lane 0, in positions.
class Reached {
public:
    Reached(Mode mode, const std::vector<LanePosition>& lanes, core::Position base) : mode_(mode), base_(base) {
        for (const LanePosition& lane : lanes) {
            sequences_[lane.lane] = lane.sequence;
            last_ = std::max(last_, lane.position);
        }
        last_ = std::max(last_, base);
    }
    [[nodiscard]] core::Position last() const noexcept { return last_; }
    [[nodiscard]] bool holds(const outbox::Message& message) const {
        if (message.position <= base_) return true;
        const auto lane = sequences_.find(mode_ == Mode::by_lane ? message.lane : core::LaneId());
        if (lane == sequences_.end()) return false;
        return (mode_ == Mode::by_lane ? message.sequence.value() : message.position.value()) <= lane->second;
    }

private:
    Mode mode_;
    core::Position base_;
    core::Position last_;
    std::map<core::LaneId, std::int64_t> sequences_;
};

class Verification {
public:
    Verification(Engine& engine, outbox::Outbox& outbox) : engine_(engine), outbox_(outbox) {}

    VerifyReport report;

    db::Task<void> run(db::UnitOfWork& unit) {
        const Store& store = engine_.store();
        const Generation generation = co_await engine_.active(unit);
        const db::Result lanes = co_await unit.query(store.texts().lanes, store.projection(), generation.number);
        const Reached reached(engine_.declared().rules.mode, Store::lanes(lanes), generation.base);
        skipped_ = co_await read_skipped(engine_, unit, generation.number);
        const core::Position began = co_await log_begin(engine_, outbox_, false);
        for (std::size_t pass = 0; pass < passes_;) {
            const bool fits = co_await fold_pass(pass, began, reached);
            if (!fits) {
                passes_ *= 2;
                pass = 0;
                report = {};
                continue;
            }
            co_await compare(unit, generation.number, pass);
            ++pass;
        }
    }

private:
    [[nodiscard]] bool in_pass(std::string_view key, std::size_t pass) const {
        return KeyHash{}(key) % passes_ == pass;
    }

    /// Folds the keys of one pass; answers false when they need more memory than allowed.
    db::Task<bool> fold_pass(std::size_t pass, core::Position began, const Reached& reached) {
        folded_.clear();
        std::size_t weight = 0;
        LogCursor cursor(engine_, outbox_, began);
        while (true) {
            std::optional<std::vector<outbox::Message>> messages = co_await cursor.next(reached.last());
            if (!messages) co_return true;
            std::erase_if(*messages, [&](const outbox::Message& message) { return !reached.holds(message); });
            std::vector<FoldEvent> events = intake(engine_.definition(), engine_.declared().rules, *messages);
            leave_out(skipped_, events);
            for (FoldEvent& event : events)
                std::erase_if(event.keys, [&](const std::string& key) { return !in_pass(key, pass); });
            FoldSettings how;
            how.deltas = false;
            how.careful = true;
            how.weigh = true;
            const FoldResult result = fold(engine_.definition(), events, folded_, how);
            report.events += result.folded;
            weight += result.grown;
            if (weight > engine_.surroundings().settings.rebuild_bytes && folded_.size() > 1) co_return false;
        }
    }

    db::Task<void> compare(db::UnitOfWork& unit, std::int64_t generation, std::size_t pass) {
        constexpr std::int64_t kPage = 1'000;
        const Store& store = engine_.store();
        std::string after;
        while (true) {
            const db::Result rows =
                co_await unit.query(store.texts().page, store.projection(), generation, after, kPage);
            if (rows.empty()) break;
            after = rows.rows.back().get<std::string>(0);
            KeyStates stored;
            Store::fill(rows, stored);
            for (const auto& [key, state] : stored)
                if (in_pass(key, pass)) compare_key(key, state);
        }
        for (const auto& [key, state] : folded_)
            if (state.version.value() > 0) differ(key, "nothing", describe(state));
    }

    /// A key that was emptied by its own rebuild has a row without version or state: as good as none.
    void compare_key(const std::string& key, const KeyState& stored) {
        const auto found = folded_.find(key);
        const bool is_empty = stored.removed && stored.version.value() == 0;
        if (found == folded_.end() || found->second.version.value() == 0) {
            if (!is_empty) differ(key, describe_stored(stored), "nothing");
            return;
        }
        ++report.keys;
        const KeyState& folded = found->second;
        const std::string bytes = folded.removed ? std::string() : engine_.definition().encode_state(*folded.state);
        if (!stored.defect.empty() || stored.bytes != bytes || stored.version != folded.version)
            differ(key, describe_stored(stored), describe(folded));
        folded_.erase(found);
    }

    [[nodiscard]] std::string describe(const KeyState& state) const {
        return fmt::format("{} at version {}",
                           state.removed ? "removed" : engine_.definition().encode_state(*state.state), state.version);
    }
    static std::string describe_stored(const KeyState& state) {
        return fmt::format("{}{} at version {}", state.removed ? "removed" : state.bytes,
                           state.defect.empty() ? "" : " (" + state.defect + ")", state.version);
    }
    void differ(const std::string& key, const std::string& stored, const std::string& folded) {
        ++report.differing;
        if (report.examples.size() < kListedKeys)
            report.examples.push_back(fmt::format("key '{}': stored {}, folded {}", key, stored, folded));
    }

    Engine& engine_;
    outbox::Outbox& outbox_;
    Skipped skipped_;
    KeyStates folded_;
    std::size_t passes_ = 1;
};

}  // namespace

db::Task<VerifyReport> verify(Engine& engine, outbox::Outbox& outbox) {
    Verification verification(engine, outbox);
    db::TransactionOptions options;
    options.read_only = true;
    auto body = [&verification](db::UnitOfWork& unit) { return verification.run(unit); };
    co_await engine.surroundings().source->transaction(options, body);
    co_return verification.report;
}

}  // namespace sluice::projection::internal
