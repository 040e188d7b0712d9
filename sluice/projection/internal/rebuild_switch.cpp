// The end of a rebuild: the last of the log and the switch in one transaction, then word to every key's subscribers.
#include <algorithm>
#include <map>
#include <utility>

#include "sluice/core/mutant.hpp"
#include "sluice/projection/internal/announce.hpp"
#include "sluice/projection/internal/rebuild.hpp"

namespace sluice::projection::internal {
namespace {

constexpr std::int64_t kPage = 1'000;

/// Keys in order, a page at a time.
class KeyPages {
public:
    KeyPages(const Engine& engine, std::int64_t generation) : engine_(engine), generation_(generation) {}

    /// Reads on once nothing is left of the page before.
    db::Task<void> refill() {
        if (at_end_ || !page.empty()) co_return;
        const Store& store = engine_.store();
        const std::unique_ptr<db::Connection> connection =
            co_await engine_.surroundings().source->acquire(db::AccessIntent::read);
        const db::Result rows =
            co_await connection->query(store.texts().page, store.projection(), generation_, last_, kPage);
        KeyStates states;
        Store::fill(rows, states);
        for (auto& [key, state] : states)
            page.emplace(key, std::move(state));
        if (page.empty())
            at_end_ = true;
        else
            last_ = page.rbegin()->first;
    }
    [[nodiscard]] bool at_end() const noexcept { return at_end_; }

    std::map<std::string, KeyState> page;

private:
    const Engine& engine_;
    std::int64_t generation_;
    std::string last_;
    bool at_end_ = false;
};

KeyChange position_of(std::string key, core::Epoch epoch, core::Version version) {
    KeyChange change;
    change.key = std::move(key);
    change.kind = ChangeKind::position;
    change.epoch = epoch;
    change.first_version = version;
    change.version = version;
    return change;
}

}  // namespace

db::Task<void> Rebuild::switch_over() {
    auto body = [this](db::UnitOfWork& unit) { return switch_in(unit); };
    co_await engine_.surroundings().source->transaction(read_committed(), body);
    switched_ = true;
    engine_.forget();
    engine_.instruments().rebuilds.add();
}

db::Task<void> Rebuild::switch_in(db::UnitOfWork& unit) {
    const Store& store = engine_.store();
    co_await hold_alone(store, unit);
    const Generation old = co_await engine_.active(unit);
    // Whatever a live batch has folded is durable and nobody folds now, so it is at or below this position; the head
    // alone is what this process has heard of.
    const core::Position folded = co_await folded_up_to(engine_, unit, old);
    const core::Position up_to = cursor_ ? std::max({head(), began_, folded}) : began_;
    if (cursor_) {
        while (true) {
            std::optional<std::vector<outbox::Message>> messages = co_await cursor_->next(up_to);
            if (!messages) break;
            co_await fold_messages(&unit, std::move(*messages));
        }
    }
    Writes writes;
    // They stay dirty: when this unit is undone, the next one writes them.
    store.put_states(new_, dirty_keys(), writes);
    for (const Waiting& waiting : waiting_)
        writes.push_back(store.park(new_, waiting.event, waiting.message));
    report_.parked = waiting_.size();
    report_.generation = new_;
    report_.epoch = core::mutant("projection_epoch_kept_on_rebuild") ? old.epoch : engine_.next_epoch(old);
    writes.push_back({store.statement(store.texts().retire, old.number), 1});
    writes.push_back({store.statement(store.texts().copy_lanes, old.number, new_), std::nullopt});
    writes.push_back(
        {store.statement(store.texts().activate, new_, report_.epoch.value(), up_to.value(), old.ledger_epoch.value()),
         1});
    co_await run_writes(unit, store.projection(), std::move(writes));
}

/// Walks both generations in key order. Live batches may already have changed the new one: a key is told as it stands.
db::Task<void> Rebuild::announce() {
    KeyPages before(engine_, old_);
    KeyPages after(engine_, new_);
    const Definition& definition = engine_.definition();
    while (true) {
        co_await before.refill();
        co_await after.refill();
        DeltaBatch batch = engine_.new_batch(new_);
        while ((before.at_end() || !before.page.empty()) && (after.at_end() || !after.page.empty())) {
            if (before.page.empty() && after.page.empty()) break;
            const bool in_before =
                !before.page.empty() && (after.page.empty() || before.page.begin()->first <= after.page.begin()->first);
            const bool in_after =
                !after.page.empty() && (before.page.empty() || after.page.begin()->first <= before.page.begin()->first);
            const std::string key = in_before ? before.page.begin()->first : after.page.begin()->first;
            const KeyState was = in_before ? std::move(before.page.extract(before.page.begin()).mapped()) : KeyState{};
            KeyState now = in_after ? std::move(after.page.extract(after.page.begin()).mapped()) : KeyState{};
            report_.keys += in_after ? 1 : 0;
            const core::Epoch epoch = std::max(report_.epoch, now.epoch);
            if (was.bytes == now.bytes) {
                ++report_.equal;
                batch.changes.push_back(position_of(key, epoch, now.version));
                continue;
            }
            ++report_.changed;
            if (report_.differing.size() < kListedKeys) report_.differing.push_back(key);
            batch.changes.push_back(reset_of(definition, key, epoch, now.version, std::move(now.bytes)));
        }
        const bool done = before.at_end() && after.at_end();
        if (!batch.changes.empty()) engine_.publish(std::make_shared<const DeltaBatch>(std::move(batch)));
        if (done) co_return;
    }
}

}  // namespace sluice::projection::internal
