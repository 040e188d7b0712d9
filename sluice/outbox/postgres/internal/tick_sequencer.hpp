// Numbers messages on PostgreSQL: a tick takes every row that was committed between its snapshot and the one before, so
// a late commit lands in the first tick that sees it and holds up nobody. One tick is one REPEATABLE READ transaction
// that reads the newest row of the ledger, its own snapshot and the new rows in one round trip and writes the next row
// of the ledger with COMMIT in another; it writes nothing to `sluice_message`, whose rows of its own it would number
// twice.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "sluice/outbox/internal/server_sequencing.hpp"
#include "sluice/outbox/postgres/internal/diff_queries.hpp"
#include "sluice/outbox/postgres/internal/snapshot.hpp"

namespace sluice::outbox::postgres {

/// On the outbox's shard, one call at a time.
class TickSequencer final : public ServerSequencing {
public:
    explicit TickSequencer(SequencingContext context);

    db::Task<void> start() override;

private:
    db::Task<void> number(db::UnitOfWork& unit, Attempt& attempt) override;
    void learn_more(const Tick& tick) override;
    void made(const Tick& tick, bool more) override;
    void forget_ahead() override;

    db::Task<void> load_all(db::UnitOfWork& unit);
    db::Task<NewRows> rest_of_cut(db::UnitOfWork& unit);
    [[nodiscard]] TickDiff diff_of(const NewRows& rows, const Facts& facts) const;
    [[nodiscard]] Diff diff_to_read() const;
    [[nodiscard]] bool same_lineage(const Facts& facts) const;
    [[nodiscard]] Snapshot parsed(const std::string& snapshot, std::string_view where) const;

    Diff diff_;               // what the next tick reads
    bool strange_ = false;    // the rows' transaction ids are another server's
    std::deque<RowRef> cut_;  // references of a diff larger than one tick that are not numbered yet
    bool cut_whole_ = true;   // no references beyond them
};

/// Null when the source is no PostgreSQL database.
[[nodiscard]] std::unique_ptr<Sequencing> make_tick_sequencing(const SequencingContext& context);

}  // namespace sluice::outbox::postgres
