// Numbers messages on MariaDB, where no snapshot tells which transactions it sees: a trigger notes every message in
// `sluice_incoming`, and a tick numbers and removes what it finds there. It reads in one view (REPEATABLE READ: in
// several, a commit between two pages would come before one that it had waited for) and removes exactly that, so a late
// commit is simply found by a later tick, and nobody waits for anybody.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/outbox/internal/server_sequencing.hpp"

namespace sluice::outbox::mariadb {

/// On the outbox's shard, one call at a time.
class IncomingSequencer final : public ServerSequencing {
public:
    explicit IncomingSequencer(SequencingContext context);

    /// Throws outbox::Error `config` for a server whose binary log cannot take what numbering does.
    db::Task<void> start() override;

private:
    db::Task<void> number(db::UnitOfWork& unit, Attempt& attempt) override;
    db::Task<void> take_others(db::UnitOfWork& unit, NewRows& rows);
    db::Task<void> enter(db::UnitOfWork& unit);
};

/// Null when the source is no MariaDB database.
[[nodiscard]] std::unique_ptr<Sequencing> make_incoming_sequencing(const SequencingContext& context);

}  // namespace sluice::outbox::mariadb
