#include "sluice/projection/internal/verify.hpp"

#include <algorithm>
#include <map>
#include <optional>
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

/// One share of the keys at a time. No reader is held while the log is read, which takes one of its own.
class Verification {
public:
    Verification(Engine& engine, outbox::Outbox& outbox) : engine_(engine), outbox_(outbox) {}

    VerifyReport report;

    db::Task<void> run() {
        const core::Position began = co_await log_begin(engine_, outbox_, false);
        for (std::size_t pass = 0; pass < passes_;) {
            const bool fits = co_await verify_pass(pass, began);
            ++pass;
            if (fits) continue;
            passes_ *= 2;
            pass = 0;
            report = {};
        }
    }

private:
    [[nodiscard]] bool in_pass(std::string_view key, std::size_t pass) const {
        return KeyHash{}(key) % passes_ == pass;
    }
    [[nodiscard]] bool too_heavy() const {
        return weight_ > engine_.surroundings().settings.rebuild_bytes && stored_.size() + folded_.size() > 2;
    }

    /// Answers false when its keys need more memory than allowed.
    db::Task<bool> verify_pass(std::size_t pass, core::Position began) {
        stored_.clear();
        folded_.clear();
        reached_.reset();
        weight_ = 0;
        db::TransactionOptions options;
        options.read_only = true;
        auto body = [this, pass](db::UnitOfWork& unit) { return read_stored(unit, pass); };
        co_await engine_.surroundings().source->transaction(options, body);
        if (too_heavy()) co_return false;
        co_await fold_log(pass, began);
        if (too_heavy()) co_return false;
        compare();
        co_return true;
    }

    /// States and lane positions of one snapshot.
    db::Task<void> read_stored(db::UnitOfWork& unit, std::size_t pass) {
        constexpr std::int64_t kComparedPage = 1'000;
        const Store& store = engine_.store();
        const Generation generation = co_await engine_.active(unit);
        const db::Result lanes = co_await unit.query(store.texts().lanes, store.projection(), generation.number);
        reached_.emplace(engine_.declared().rules.mode, Store::lanes(lanes), generation.base);
        skipped_ = co_await read_skipped(engine_, unit, generation.number);
        std::string after;
        while (!too_heavy()) {
            const db::Result rows =
                co_await unit.query(store.texts().page, store.projection(), generation.number, after, kComparedPage);
            if (rows.empty()) break;
            after = rows.rows.back().get<std::string>(0);
            KeyStates page;
            Store::fill(rows, page);
            for (auto& [key, state] : page) {
                if (!in_pass(key, pass)) continue;
                weight_ += key.size() + state.bytes.size() + sizeof(KeyState);
                stored_.emplace(key, std::move(state));
            }
        }
    }

    db::Task<void> fold_log(std::size_t pass, core::Position began) {
        LogCursor cursor(engine_, outbox_, began);
        while (!too_heavy()) {
            std::optional<std::vector<outbox::Message>> messages = co_await cursor.next(reached_->last());
            if (!messages) break;
            std::erase_if(*messages, [this](const outbox::Message& message) { return !reached_->holds(message); });
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
            weight_ += result.grown;
        }
    }

    void compare() {
        for (const auto& [key, stored] : stored_)
            compare_key(key, stored);
        for (const auto& [key, folded] : folded_)
            if (folded.version.value() > 0) differ(key, "nothing", describe(folded));
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
    std::optional<Reached> reached_;
    KeyStates stored_;
    KeyStates folded_;
    std::size_t weight_ = 0;
    std::size_t passes_ = 1;
};

}  // namespace

db::Task<VerifyReport> verify(Engine& engine, outbox::Outbox& outbox) {
    Verification verification(engine, outbox);
    co_await verification.run();
    co_return verification.report;
}

}  // namespace sluice::projection::internal
