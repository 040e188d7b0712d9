#include "sluice/projection/fold.hpp"

#include <bit>
#include <new>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"
#include "sluice/core/json/merge_patch.hpp"
#include "sluice/core/mutant.hpp"

namespace sluice::projection {
namespace {

/// What the batch has done to one key so far.
struct Work {
    const std::string* key = nullptr;
    KeyState* state = nullptr;
    StatePtr before;  // only where no bytes lead back
    bool had_row = false;
    bool was_removed = false;
    core::Version loaded_version;
    core::Position loaded_position;
    std::vector<std::size_t> applied;  // indexes of events
    std::vector<std::string> deltas;
};

class Folder {
public:
    Folder(const Definition& definition, std::span<const FoldEvent> events, KeyStates& states,
           const FoldSettings& settings)
        : definition_(definition), events_(events), states_(states), settings_(settings) {}

    FoldResult run() {
        for (std::size_t i = 0; i < events_.size(); ++i)
            for (const std::string& key : events_[i].keys)
                take(i, key);
        for (Work& work : works_)
            finish(work);
        return std::move(result_);
    }

private:
    void take(std::size_t index, const std::string& key) {
        const FoldEvent& event = events_[index];
        if (key.empty()) return park(key, index, event.fault);
        Work& work = work_for(key);
        KeyState& state = *work.state;
        if (is_replay(event, state)) {
            ++result_.replayed;
            return;
        }
        if (state.parked) return wait(key, index);
        if (!state.defect.empty()) return set_aside(work, index, "its stored state cannot be used: " + state.defect);
        if (event.event == nullptr) return set_aside(work, index, event.fault);
        apply(work, index);
    }

    bool is_replay(const FoldEvent& event, const KeyState& state) const {
        if (core::mutant("projection_applied_twice")) return false;
        if (event.position.value() == 0) return false;
        return event.position <= state.position || event.position <= settings_.base;
    }

    Work& work_for(const std::string& key) {
        const auto [entry, is_new] = states_.try_emplace(key);
        KeyState& state = entry->second;
        if (state.work != 0) return works_[state.work - 1];
        Work& work = works_.emplace_back();
        state.work = static_cast<std::uint32_t>(works_.size());
        work.key = &entry->first;
        work.state = &state;
        work.had_row = state.stored;
        work.was_removed = state.removed;
        work.loaded_version = state.version;
        work.loaded_position = state.position;
        if (state.state == nullptr)
            decode(state);
        else if (!settings_.deltas)
            work.before = definition_.copy(*state.state);
        return work;
    }

    void decode(KeyState& state) const {
        if (!state.stored || state.removed) {
            state.state = definition_.initial();
            return;
        }
        std::expected<StatePtr, std::string> decoded = definition_.decode_state(state.bytes);
        if (decoded)
            state.state = std::move(*decoded);
        else if (state.defect.empty())
            state.defect = "it does not decode: " + decoded.error();
    }

    void apply(Work& work, std::size_t index) {
        KeyState& state = *work.state;
        SLUICE_ASSERT(state.version.value() < core::kLargestVersion, "projection {}: key {} has reached version {}",
                      definition_.name(), *work.key, state.version);
        std::expected<Applied, std::string> applied = attempt(state, events_[index], *work.key);
        if (!applied) {
            restore(work);
            return set_aside(work, index, applied.error());
        }
        state.version = state.version.next();
        if (core::mutant("projection_version_gap")) state.version = state.version.next();
        if (events_[index].position.value() != 0) state.position = events_[index].position;
        state.removed = applied->removed;
        state.dirty = true;
        work.applied.push_back(index);
        if (settings_.deltas) work.deltas.push_back(std::move(applied->delta));
        ++result_.folded;
    }

    std::expected<Applied, std::string> attempt(KeyState& state, const FoldEvent& event, const std::string& key) const {
        try {
            Applied applied = definition_.apply(*state.state, *event.event, key, settings_.deltas);
            if (settings_.careful || careful_) static_cast<void>(definition_.encode_state(*state.state));
            return applied;
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception& e) {
            return std::unexpected(std::string(e.what()));
        } catch (...) {
            return std::unexpected(std::string("threw something that is not a std::exception"));
        }
    }

    /// The state as the events applied so far left it; `apply` is pure, so folding them again gives the same.
    void restore(Work& work) const {
        KeyState& state = *work.state;
        rewind(work);
        for (const std::size_t index : work.applied) {
            const Applied again = definition_.apply(*state.state, *events_[index].event, *work.key, false);
            state.removed = again.removed;
        }
    }

    void rewind(Work& work) const {
        KeyState& state = *work.state;
        state.removed = work.was_removed;
        if (work.before != nullptr) {
            state.state = definition_.copy(*work.before);
            return;
        }
        decode(state);
    }

    void set_aside(Work& work, std::size_t index, std::string text) {
        work.state->parked = true;
        park(*work.key, index, std::move(text));
    }
    void park(const std::string& key, std::size_t index, std::string text) {
        result_.parked.push_back(ParkedEvent{key, index, true, std::move(text)});
    }
    void wait(const std::string& key, std::size_t index) {
        if (core::mutant("projection_parked_key_overtaken")) return;
        result_.parked.push_back(ParkedEvent{key, index, false, {}});
    }

    void finish(Work& work) {
        work.state->work = 0;
        if (settings_.weigh) weigh(work);
        if (!settings_.deltas || work.applied.empty()) return;
        std::optional<std::string> bytes = encode(work);
        if (!bytes) {
            fold_carefully(work);
            if (work.applied.empty()) return;
            bytes = encode(work);
            SLUICE_ASSERT(bytes.has_value(), "projection {}: key {}: State cannot be encoded", definition_.name(),
                          *work.key);
        }
        emit(work, std::move(*bytes));
    }

    /// A weight is off by a factor of two at most, for the price of a logarithmic number of encodings.
    void weigh(Work& work) {
        constexpr std::size_t kBookkeeping = 300;
        KeyState& state = *work.state;
        const auto doublings = [](core::Version v) { return std::bit_width(static_cast<std::uint64_t>(v.value())); };
        if (state.weight != 0 && doublings(state.version) == doublings(work.loaded_version)) return;
        const std::size_t weight = 2 * (work.key->size() + encode(work).value_or("").size()) + kBookkeeping;
        if (weight > state.weight) result_.grown += weight - state.weight;
        state.weight = weight;
    }

    std::optional<std::string> encode(const Work& work) const {
        if (work.state->removed) return std::string();
        try {
            return definition_.encode_state(*work.state->state);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (const std::exception&) {
            return std::nullopt;
        }
    }

    /// Some event of this batch made a state that JSON cannot hold: finds it, keeps what was before it, parks the rest.
    void fold_carefully(Work& work) {
        const std::vector<std::size_t> indexes = std::exchange(work.applied, {});
        KeyState& state = *work.state;
        rewind(work);
        state.version = work.loaded_version;
        state.position = work.loaded_position;
        work.deltas.clear();
        result_.folded -= indexes.size();
        const bool was_parked = std::exchange(state.parked, false);
        careful_ = true;
        for (const std::size_t index : indexes) {
            if (state.parked)
                wait(*work.key, index);
            else
                apply(work, index);
        }
        careful_ = false;
        state.parked = state.parked || was_parked;
    }

    void emit(Work& work, std::string bytes) {
        KeyState& state = *work.state;
        KeyFold key;
        key.key = *work.key;
        key.had_row = work.had_row;
        key.loaded_version = work.loaded_version;
        key.epoch = state.epoch;
        key.first_version = work.loaded_version.next();
        key.version = state.version;
        key.position = state.position;
        key.removed = state.removed;
        key.changed = bytes != state.bytes || work.was_removed != state.removed || !work.had_row;
        if (settings_.undo) key.undo = patch_back(bytes, work);
        key.deltas = std::move(work.deltas);
        key.positions.reserve(work.applied.size());
        for (const std::size_t index : work.applied)
            key.positions.push_back(events_[index].position);
        state.bytes = bytes;
        state.stored = true;
        key.state = std::move(bytes);
        result_.keys.push_back(std::move(key));
    }

    std::optional<std::string> patch_back(const std::string& after, const Work& work) const {
        const std::string unseen =
            after.empty() || work.state->bytes.empty() ? definition_.encode_state(*definition_.initial()) : "";
        const auto patch = core::json::merge_patch_text(after.empty() ? unseen : after,
                                                        work.state->bytes.empty() ? unseen : work.state->bytes);
        if (!patch) return std::nullopt;
        return *patch;
    }

    const Definition& definition_;
    std::span<const FoldEvent> events_;
    KeyStates& states_;
    FoldSettings settings_;
    std::vector<Work> works_;
    FoldResult result_;
    bool careful_ = false;
};

}  // namespace

FoldResult fold(const Definition& definition, std::span<const FoldEvent> events, KeyStates& states,
                const FoldSettings& settings) {
    return Folder(definition, events, states, settings).run();
}

}  // namespace sluice::projection
