// The statements that deliver: cursors, attempts, parked keys, dead letters. Text and values only; who runs them checks
// the rows affected. The same on every database.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/core/ids.hpp"
#include "sluice/db/statement.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// Whose cursor: every write below it is fenced by the epoch.
struct CursorRef {
    std::string subscription;
    std::int64_t lane = 0;
    core::Epoch epoch;
};

/// The dead letter that a message replays.
struct ReplayedLetter {
    std::int64_t id = 0;
    std::string claim;
};

/// Moves the cursor from `from` to `to` (the same: only checks that it is still ours). One row, or somebody else owns
/// it.
[[nodiscard]] db::Statement advance_cursor(const CursorRef& cursor, std::int64_t from, std::int64_t to,
                                           std::int64_t tick);

/// As above, and ends the lease on the batch.
[[nodiscard]] db::Statement acknowledge_lease(const CursorRef& cursor, std::int64_t from, std::int64_t to,
                                              std::int64_t tick);
/// A handler has the messages behind `from` up to `up_to` in its hands, for `duration` from now.
[[nodiscard]] db::Statement take_lease(const CursorRef& cursor, std::int64_t from, std::int64_t up_to,
                                       std::chrono::milliseconds duration, db::Dialect dialect);

/// Keeps the failures of a message that stays in its lane; `forget_attempts` when it is done.
[[nodiscard]] db::Statement keep_attempts(const CursorRef& cursor, std::int64_t number, std::uint32_t attempts,
                                          const std::string& reason, db::Dialect dialect);
[[nodiscard]] db::Statement forget_attempts(const CursorRef& cursor, std::int64_t number);

/// Why and how a message is set aside.
struct ParkReason {
    std::uint32_t attempts = 0;
    std::string text;
    bool held = false;
};
/// Copies the message to `sluice_parked`. One row, or the message is missing.
[[nodiscard]] db::Statement park_message(const CursorRef& cursor, std::int64_t number, const std::string& group,
                                         const Message& message, const ParkReason& reason);
[[nodiscard]] db::Statement select_parked(const CursorRef& cursor, const std::string& group, std::int64_t limit);
[[nodiscard]] db::Statement update_parked(const CursorRef& cursor, const std::string& group, std::int64_t number,
                                          const ParkReason& reason);
[[nodiscard]] db::Statement delete_parked(const CursorRef& cursor, const std::string& group, std::int64_t number);

/// Copies the message to `sluice_dead_letter`. One row, or the message is missing.
[[nodiscard]] db::Statement bury_message(const CursorRef& cursor, std::int64_t number, const Message& message,
                                         std::uint32_t attempts, const std::string& reason);
/// The same for a message that was set aside, from its copy.
[[nodiscard]] db::Statement bury_parked(const CursorRef& cursor, const std::string& group, std::int64_t number,
                                        std::uint32_t attempts, const std::string& reason);

/// A replayed message is done: its letter is resolved, or pending again; nothing if the claim is no longer its.
[[nodiscard]] db::Statement resolve_letter(const ReplayedLetter& letter, db::Dialect dialect);
[[nodiscard]] db::Statement return_letter(const ReplayedLetter& letter, std::uint32_t attempts,
                                          const std::string& reason, db::Dialect dialect);
/// The next line of a letter's history.
[[nodiscard]] db::Statement audit_letter(std::int64_t letter, std::string_view action, std::string_view actor,
                                         std::string_view detail);
/// The same before `resolve_letter` or `return_letter`: nothing if `claim` no longer holds the letter.
[[nodiscard]] db::Statement audit_held_letter(const ReplayedLetter& letter, std::string_view action,
                                              std::string_view actor, std::string_view detail);

}  // namespace sluice::outbox
