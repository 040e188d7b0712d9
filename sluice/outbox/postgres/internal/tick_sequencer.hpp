// Numbers messages on PostgreSQL: a tick takes every row that was committed between its snapshot and the one before, so
// a late commit lands in the first tick that sees it and holds up nobody. One tick is one REPEATABLE READ transaction
// that reads the newest row of the ledger, its own snapshot and the new rows in one round trip and writes the next row
// of the ledger with COMMIT in another; it writes nothing to `sluice_message`, whose rows of its own it would number
// twice.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/new_rows.hpp"
#include "sluice/outbox/internal/sequencing.hpp"
#include "sluice/outbox/postgres/internal/diff_queries.hpp"
#include "sluice/outbox/postgres/internal/snapshot.hpp"

namespace sluice::outbox::postgres {

struct SequencerMetrics {
    core::Counter ticks;
    core::Counter messages;
    core::Counter fenced;
    core::Histogram tick_messages;
};

/// On the outbox's shard, one call at a time.
class TickSequencer final : public Sequencing {
public:
    explicit TickSequencer(SequencingContext context);

    db::Task<void> start() override;
    db::Task<std::uint64_t> tick() override;
    db::Task<void> stop() override;
    [[nodiscard]] bool at_commit() const noexcept override { return false; }

private:
    /// The ledger and the queues as the database has them; a guess until the tick has read the newest row.
    struct Memory {
        Ledger ledger{IdOrder::any};
        std::map<std::int32_t, std::string> queue_names;
        Diff diff;             // what the next tick reads
        std::string identity;  // of the newest row
    };
    /// What one transaction found or made; kept only if it commits.
    struct Attempt {
        std::vector<Numbered> foreign;
        std::optional<Numbered> ours;
        bool more = false;
    };

    db::Task<void> load(db::UnitOfWork& unit);
    db::Task<void> load_queues(db::UnitOfWork& unit);
    db::Task<void> number(db::UnitOfWork& unit, Attempt& attempt);
    db::Task<void> read_ticks(db::UnitOfWork& unit, std::int64_t from, Attempt& attempt);
    db::Task<void> catch_up(db::UnitOfWork& unit, std::int64_t newest, Attempt& attempt);
    db::Task<NewRows> rest_of_cut(db::UnitOfWork& unit);
    db::Task<void> plan(db::UnitOfWork& unit, NewRows& rows, const Facts& facts, Attempt& attempt);
    [[nodiscard]] Diff diff_to_read() const;
    [[nodiscard]] bool same_lineage(const Facts& facts) const;
    void learn(const Tick& tick);
    [[nodiscard]] Snapshot parsed(const std::string& snapshot, std::string_view where) const;
    std::uint64_t conclude(Attempt attempt);

    SequencingContext context_;
    std::string source_;
    SequencerMetrics metrics_;
    Memory memory_;
    bool strange_ = false;    // the rows' transaction ids are another server's
    std::deque<RowRef> cut_;  // references of a diff larger than one tick that are not numbered yet
    bool cut_whole_ = true;   // no references beyond them
};

/// Null when the source is no PostgreSQL database.
[[nodiscard]] std::unique_ptr<Sequencing> make_tick_sequencing(const SequencingContext& context);

}  // namespace sluice::outbox::postgres
