// The port to whatever numbers messages on one kind of database.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/outbox/internal/log_slice.hpp"
#include "sluice/outbox/settings.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::outbox {

/// A tick that is durable. `slice` has the payloads from its first message on, as far as memory allows; it is empty for
/// a tick that another process made.
struct Numbered {
    Tick tick;
    LogSlice slice;
};

/// On the outbox's shard.
class Sequencing {
public:
    virtual ~Sequencing() = default;
    /// From now on every durable tick reaches `accept` on the shard, in order, also those of other processes.
    virtual db::Task<void> start() = 0;
    /// Whether a commit of this process is numbered before it is answered. Else `tick` numbers it.
    [[nodiscard]] virtual bool at_commit() const noexcept = 0;
    /// Numbers what is committed and not numbered, of other processes too, as far as one tick goes; cheap when there is
    /// nothing. Answers 0 when nothing is left that this call saw. Not twice at once.
    virtual db::Task<std::uint64_t> tick() = 0;
    /// No tick is made or handed over any more.
    virtual db::Task<void> stop() = 0;
};

struct SequencingContext {
    std::shared_ptr<db::DataSource> source;
    runtime::Shard& shard;
    core::Logger log;
    core::Metrics& metrics;
    Settings settings;
    std::function<void(std::vector<Numbered>)> accept;
};

/// Throws outbox::Error `config` for a database that is of no known kind or too old.
[[nodiscard]] std::unique_ptr<Sequencing> make_sequencing(SequencingContext context);

}  // namespace sluice::outbox
