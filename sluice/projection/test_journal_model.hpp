// For tests: random journals, and the plainest possible fold of them to compare everything else with.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sluice/core/json.hpp"
#include "sluice/outbox/codec.hpp"
#include "sluice/outbox/message.hpp"
#include "sluice/projection/test_sample_projections.hpp"

namespace sluice::projection::sample {

/// Deterministic in its seed.
class JournalMaker {
public:
    JournalMaker(std::uint64_t seed, int keys) : random_(seed), keys_(keys) {}

    Journal::Event next() {
        switch (pick(20)) {
            case 0:
            case 1:
            case 2:
                return Multiply{key(), pick(5) - 2};
            case 3:
            case 4:
            case 5:
                return Move{key(), key(), pick(50)};
            case 6:
                return Average{key(), static_cast<double>(pick(1000)) / 7.0};
            case 7:
                return Noise{pick(10)};
            case 8:
                return pick(10) == 0 ? Journal::Event(Delete{key()}) : Journal::Event(Add{key(), 1});
            case 9:
                return pick(200) == 0 ? Journal::Event(Poison{key()}) : Journal::Event(Add{key(), 2});
            default:
                return Add{key(), pick(100) - 40};
        }
    }

    std::int64_t pick(std::int64_t below) { return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random_); }
    std::string key() { return "k" + std::to_string(pick(keys_)); }

private:
    std::mt19937_64 random_;
    std::int64_t keys_;
};

inline outbox::Message message_of(const Journal::Event& event, std::int64_t position, std::string key = "any") {
    outbox::Message message;
    message.id = core::MessageId(position);
    message.queue = "journal";
    message.sequence = core::Sequence(position);
    message.position = core::Position(position);
    message.key = std::move(key);
    message.type = outbox::Codec<Journal::Event>::type(event);
    message.payload = outbox::Codec<Journal::Event>::encode(event);
    return message;
}

/// One key as the reference sees it.
struct ModelKey {
    JournalState state;
    std::int64_t version = 0;
    std::int64_t position = 0;
    bool removed = false;
    std::vector<std::int64_t> parked;  ///< positions: the failed event and what waits for it
};

/// Folds one event at a time, by copying the state before each.
class JournalModel {
public:
    void take(const Journal::Event& event, std::int64_t position) {
        std::set<std::string> seen;
        for (const std::string& name : journal_.key(event))
            if (seen.insert(name).second) take(keys_[name], name, event, position);
    }
    [[nodiscard]] const std::map<std::string, ModelKey>& keys() const { return keys_; }

private:
    void take(ModelKey& key, const std::string& name, const Journal::Event& event, std::int64_t position) {
        if (!key.parked.empty()) return key.parked.push_back(position);
        JournalState next = key.state;
        bool removed = false;
        try {
            const auto verdict = journal_.apply(next, event, name);
            removed = std::holds_alternative<Removed>(verdict);
        } catch (const std::exception&) {
            return key.parked.push_back(position);
        }
        key.removed = removed;
        key.state = removed ? JournalState{} : std::move(next);
        key.position = position;
        ++key.version;
    }

    Journal journal_;
    std::map<std::string, ModelKey> keys_;
};

}  // namespace sluice::projection::sample
