// The log as a projection reads it: its own queues' messages, in ledger order, chunk by chunk.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/outbox.hpp"
#include "sluice/projection/internal/engine.hpp"

namespace sluice::projection::internal {

/// Key and position of an event that a person skipped: no fold takes it again.
using Skipped = std::set<std::pair<std::string, std::int64_t>>;

class LogCursor {
public:
    /// All three outlive the cursor.
    LogCursor(const Engine& engine, outbox::Outbox& outbox, core::Position after)
        : engine_(engine), outbox_(outbox), after_(after) {}

    /// Everything up to here has been read.
    [[nodiscard]] core::Position position() const noexcept { return after_; }
    /// The projection's messages among the next ones up to `up_to`; nothing at its end. May be an empty list in
    /// between.
    db::Task<std::optional<std::vector<outbox::Message>>> next(core::Position up_to);

private:
    const Engine& engine_;
    outbox::Outbox& outbox_;
    core::Position after_;
};

/// Where the projection's log begins, checked against what is kept. Throws `gone` naming the oldest position, unless
/// `accept_partial`.
db::Task<core::Position> log_begin(const Engine& engine, outbox::Outbox& outbox, bool accept_partial);

/// The position of the last message that went into `generation`, by whatever process. In a unit that holds alone.
db::Task<core::Position> folded_up_to(const Engine& engine, db::Session& session, const Generation& generation);

/// What was skipped in `generation`, seen by `session`.
db::Task<Skipped> read_skipped(const Engine& engine, db::Session& session, std::int64_t generation);
/// Takes skipped keys out of the events.
void leave_out(const Skipped& skipped, std::vector<FoldEvent>& events);

}  // namespace sluice::projection::internal
