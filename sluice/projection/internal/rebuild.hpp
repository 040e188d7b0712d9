// A new generation beside the one that serves: folded in memory, written out in bounded transactions, switched in one.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sluice/projection/internal/log.hpp"
#include "sluice/projection/rebuild.hpp"

namespace sluice::projection::internal {

/// Events of the caller instead of the log's beginning, and the position of the log that they reach to.
struct GivenEvents {
    AnyEventSource next;
    core::Position covers;
};

/// One rebuild, from its first event to the end of the old generation. Live batches go on meanwhile; the switch reads
/// the last of the log inside its own transaction, so nothing is lost or folded twice: whatever comes again stands at
/// or below the new generation's `base`.
class Rebuild {
public:
    /// `engine` and `outbox` (null: no log, only given events) outlive it.
    Rebuild(Engine& engine, outbox::Outbox* outbox, RebuildOptions options);

    db::Task<RebuildReport> run(std::optional<GivenEvents> given);

private:
    struct Waiting {
        ParkedEvent event;
        outbox::Message message;
    };

    db::Task<void> attempt(std::optional<GivenEvents> given);
    db::Task<void> begin(core::Position began);
    db::Task<void> create(db::UnitOfWork& unit);
    db::Task<void> fold_given(GivenEvents given);
    db::Task<void> catch_up();
    db::Task<void> fold_messages(db::Session* session, std::vector<outbox::Message> messages);
    db::Task<void> fold_events(db::Session* session, std::vector<FoldEvent> events,
                               std::vector<outbox::Message> messages);
    db::Task<void> load_spilled(db::Session* session, std::vector<std::string> keys);
    void keep_parked(const FoldResult& result, std::vector<outbox::Message>& messages);
    [[nodiscard]] std::size_t count_dirty() const;
    [[nodiscard]] std::vector<KeyFold> dirty_keys() const;
    [[nodiscard]] std::vector<KeyFold> take_dirty();
    db::Task<void> write_out();
    db::Task<void> write_in(db::UnitOfWork& unit, std::span<const KeyFold> keys);
    db::Task<void> switch_over();
    db::Task<void> switch_in(db::UnitOfWork& unit);
    db::Task<void> announce();
    [[nodiscard]] core::Position head() const;

    Engine& engine_;
    outbox::Outbox* outbox_;
    RebuildOptions options_;
    RebuildReport report_;
    std::int64_t old_ = 0;
    std::int64_t new_ = 0;
    core::Position began_;
    std::optional<LogCursor> cursor_;
    Skipped skipped_;
    KeyStates states_;
    std::set<std::string> parked_;
    std::vector<Waiting> waiting_;
    std::size_t weight_ = 0;
    bool spilled_ = false;
    bool switched_ = false;  // from its switch on, the new generation is not ours to remove
    bool careful_ = false;
};

}  // namespace sluice::projection::internal
