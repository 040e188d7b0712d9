// Numbers messages within the writer's group: after the last unit is decided and before COMMIT. No sequencer, no second
// fsync, and nothing is numbered that a savepoint undid.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/sqlite/group_hook.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/new_rows.hpp"
#include "sluice/outbox/internal/sequencing.hpp"

namespace sluice::outbox::sqlite {

struct SequencerSettings {
    std::string source;
    std::uint32_t tick_messages = 10'000;
    std::size_t tick_bytes = std::size_t{8} << 20;
};

struct SequencerMetrics {
    core::Counter ticks;
    core::Counter messages;
    core::Counter failures;
    core::Histogram tick_messages;
};

/// Runs on the writer's thread. A failure of its own never fails the group: it is logged and counted, the messages stay
/// unnumbered and the next group tries again.
class GroupSequencer final : public db::sqlite::GroupHook {
public:
    /// `deliver` gets every durable tick in order, on the writer's thread; `again` asks for another group because more
    /// messages wait than one tick takes.
    using Deliver = std::function<void(std::vector<Numbered>)>;
    GroupSequencer(SequencerSettings settings, const core::Clock& clock, core::Logger log, SequencerMetrics metrics,
                   Deliver deliver, std::function<void()> again);

    bool before_commit(db::sqlite::WriterSession& session) override;
    void after_commit() noexcept override;
    void after_rollback() noexcept override;

private:
    /// The ledger and the queues as the database has them; a guess until checked against the newest row.
    struct Memory {
        Ledger ledger;
        std::map<std::int32_t, std::string> queue_names;
    };

    bool number(db::sqlite::WriterSession& session);
    void catch_up(db::sqlite::WriterSession& session);
    void reload(db::sqlite::WriterSession& session);
    void take_ticks(const db::Result& rows);
    void load_queues(db::sqlite::WriterSession& session);
    NewRows read_rows(db::sqlite::WriterSession& session) const;
    void read_references(db::sqlite::WriterSession& session, NewRows& rows) const;
    void store(db::sqlite::WriterSession& session, const NewRows& rows, const Tick& tick) const;
    void note_failure(const char* what) noexcept;

    SequencerSettings settings_;
    const core::Clock& clock_;
    core::Logger log_;
    SequencerMetrics metrics_;
    Deliver deliver_;
    std::function<void()> again_;

    Memory memory_;                      // as of the last durable group, or of this one's foreign ticks
    std::vector<Numbered> undelivered_;  // durable once the group is: foreign ticks, then ours
    bool ours_ = false;                  // undelivered_.back() was made by this group
    bool more_ = false;
    bool loaded_ = false;
    std::string last_failure_;
    std::int64_t seen_highest_id_ = 0;  // also of groups that were rolled back; only a planted defect reads it
};

}  // namespace sluice::outbox::sqlite
