#include "sluice/projection/internal/announce.hpp"

#include <algorithm>
#include <utility>

namespace sluice::projection::internal {
namespace {

KeyChange deltas_of(const Definition& definition, KeyFold& key, core::Epoch epoch) {
    KeyChange change;
    change.key = key.key;
    change.kind = key.removed ? ChangeKind::removed : ChangeKind::deltas;
    change.epoch = epoch;
    change.first_version = key.first_version;
    change.version = key.version;
    change.deltas = std::move(key.deltas);
    if (key.removed) change.state = definition.encode_state(*definition.initial());
    return change;
}

}  // namespace

std::vector<KeyChange> changes_of(const Definition& definition, std::span<KeyFold> keys, core::Epoch epoch,
                                  bool is_reset) {
    std::vector<KeyChange> changes;
    changes.reserve(keys.size());
    for (KeyFold& key : keys) {
        const core::Epoch own = std::max(epoch, key.epoch);
        if (is_reset)
            changes.push_back(reset_of(definition, key.key, own, key.version, key.state));
        else
            changes.push_back(deltas_of(definition, key, own));
    }
    return changes;
}

KeyChange reset_of(const Definition& definition, std::string key, core::Epoch epoch, core::Version version,
                   std::string state) {
    KeyChange change;
    change.key = std::move(key);
    change.kind = ChangeKind::reset;
    change.epoch = epoch;
    change.first_version = version;
    change.version = version;
    change.state = state.empty() ? definition.encode_state(*definition.initial()) : std::move(state);
    return change;
}

}  // namespace sluice::projection::internal
