// What the sequencers of servers have in common: one tick is one transaction that finds new rows, writes one row of the
// ledger and commits. The key of that row fences whoever else tries; what a process remembers of the ledger is a guess
// until the transaction has read the newest row.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/new_rows.hpp"
#include "sluice/outbox/internal/sequencing.hpp"

namespace sluice::outbox {

/// On the outbox's shard, one call at a time.
class ServerSequencing : public Sequencing {
public:
    db::Task<std::uint64_t> tick() override;
    db::Task<void> stop() override;
    [[nodiscard]] bool at_commit() const noexcept override { return false; }

protected:
    /// What one transaction found or made; kept only if it commits.
    struct Attempt {
        std::vector<Numbered> foreign;
        std::optional<Numbered> ours;
        bool more = false;
    };

    ServerSequencing(SequencingContext context, db::Isolation isolation);

    /// One tick's transaction, of the isolation that was asked for: finds what is new and calls `plan`, or `catch_up`
    /// when `newest` is not what is remembered.
    virtual db::Task<void> number(db::UnitOfWork& unit, Attempt& attempt) = 0;
    /// A durable row of the ledger moves the memory on; after the ledger's own.
    virtual void learn_more(const Tick&) {}
    /// `tick` is durable and was made here; `more`: it left rows to the next one.
    virtual void made(const Tick&, bool) {}
    /// The transaction failed, or another process has made ticks: what was read ahead is worth nothing.
    virtual void forget_ahead() {}

    [[nodiscard]] db::TransactionOptions options() const;
    /// Reads queues and ledger anew.
    db::Task<void> load(db::UnitOfWork& unit);
    db::Task<void> load_queues(db::UnitOfWork& unit);
    /// Reads what others have added. Throws outbox::Error `corrupt` when the ledger ends before what was durable.
    db::Task<void> catch_up(db::UnitOfWork& unit, std::int64_t newest, Attempt& attempt);
    /// Numbers `rows`; the row of the ledger and what becomes of undeclared queues' messages travel with the commit.
    db::Task<void> plan(db::UnitOfWork& unit, NewRows& rows, TickDiff diff, Attempt& attempt);

    SequencingContext context_;
    std::string source_;
    Ledger ledger_{IdOrder::any};
    std::map<std::int32_t, std::string> queue_names_;
    std::string identity_;  // of the server that made the newest row

private:
    struct Instruments {
        core::Counter ticks;
        core::Counter messages;
        core::Counter fenced;
        core::Counter failures;
        core::Histogram tick_messages;
    };

    db::Task<void> read_ticks(db::UnitOfWork& unit, std::int64_t from, Attempt& attempt);
    void learn(const Tick& tick);
    std::uint64_t conclude(Attempt attempt);

    db::Isolation isolation_;
    Instruments instruments_;
};

}  // namespace sluice::outbox
