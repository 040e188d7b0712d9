// Messages that were rejected or failed too often, with a full copy each: pending → reprocessing → resolved, or back to
// pending; pending → discarded.
//
//     outbox::DeadLetterFilter stuck;
//     stuck.subscription = "audit";
//     const auto report = co_await outbox.dead_letters().replay(stuck);      // delivered again, to "audit" only
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/db/connection.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

enum class LetterState : std::uint8_t { pending, reprocessing, resolved, discarded };

/// A message, why it is here and what was done about it.
struct DeadLetter {
    std::int64_t id = 0;
    std::string subscription;  ///< empty: no subscription saw it (its queue number is unknown)
    Message message;           ///< as delivered; `attempts` counts the failed tries
    LetterState state = LetterState::pending;
    std::string reason;
    db::Timestamp failed_at;
    std::optional<db::Timestamp> completed_at;  ///< when it was resolved or discarded
};

/// All that are given must hold; an empty filter is every letter in the states that the call concerns. A field that
/// cannot be meant is a `config` error, a queue or subscription that the database does not know `not_found`; both name
/// the field.
struct DeadLetterFilter {
    std::optional<std::string> subscription;  ///< empty: letters that no subscription saw
    std::optional<std::string> queue;
    std::optional<core::LaneId> lane;
    std::optional<std::string> key;  ///< empty: messages without a key
    std::optional<std::string> type;
    std::optional<std::string> tenant;          ///< empty: messages without a tenant
    std::optional<db::Timestamp> failed_from;   ///< inclusive
    std::optional<db::Timestamp> failed_until;  ///< exclusive
    std::vector<LetterState> states;            ///< `list` and `count` only; empty: pending
    std::vector<std::int64_t> ids;              ///< at most 1,000
};

struct LetterOptions {
    std::uint32_t limit = 100;  ///< letters at most, oldest failure first; 1–1,000
    bool dry_run = false;       ///< answers what would be done and changes nothing
    std::string actor;          ///< for the audit line: who asked
};

/// What a call did, or would do.
struct LetterReport {
    std::vector<std::int64_t> ids;  ///< the letters concerned, in the order of their ids
    std::string claim;              ///< the token of `claim` and `replay`; empty when nothing was claimed
};

enum class ReplayPlace : std::uint8_t {
    lane_end,  ///< as a new message at the end of its lane
    in_order,  ///< before every later message of its key that still waits; the key is set aside until it is done
};

/// A key that is set aside in one subscription, by the first message that waits.
struct ParkedMessages {
    std::string subscription;
    core::LaneId lane;  ///< of the cursor: 0 when merged
    std::string queue;
    std::string key;  ///< empty: a single message without a key
    core::Sequence first;
    std::uint64_t messages = 0;  ///< that wait, the first included
    int attempts = 0;            ///< of the first
    std::string reason;
    bool held = false;  ///< until `release`; else it is tried again by itself
    db::Timestamp since;
};

enum class Release : std::uint8_t {
    retry,  ///< tried again at once; tries are counted anew
    bury,   ///< the first message becomes a dead letter, the others go on
};

/// One line of history.
struct LetterAudit {
    std::int64_t letter = 0;
    db::Timestamp at;
    std::string action;
    std::string actor;
    std::string detail;
};

/// All calls on the outbox's shard. Each is one transaction. Every call that changes a letter leaves an audit line.
class DeadLetters {
public:
    virtual ~DeadLetters() = default;

    /// In the order of their ids, which is that of their first failure; full payloads. For the next page give the
    /// last id of this one as `after`.
    virtual db::Task<std::vector<DeadLetter>> list(DeadLetterFilter filter, std::uint32_t limit = 100,
                                                   std::int64_t after = 0) = 0;
    /// Without a limit.
    virtual db::Task<std::uint64_t> count(DeadLetterFilter filter) = 0;

    /// Delivers pending letters again, to the subscription that they failed in and to no other. They are `reprocessing`
    /// until that ends: then resolved, or pending again with one more failure. Letters without a subscription are
    /// published anew to their queue if it is known by now, else left alone.
    virtual db::Task<LetterReport> replay(DeadLetterFilter filter, LetterOptions options = {},
                                          ReplayPlace place = ReplayPlace::lane_end) = 0;

    /// Takes pending letters for handling by the caller; without `resolve` or `reject` they are pending again after
    /// `lease`.
    virtual db::Task<LetterReport> claim(DeadLetterFilter filter, std::chrono::milliseconds lease,
                                         LetterOptions options = {}) = 0;
    /// reprocessing → resolved, only letters that `claim` still holds. Throws outbox::Error `conflict` if it holds
    /// none.
    virtual db::Task<LetterReport> resolve(std::string claim, DeadLetterFilter filter = {},
                                           LetterOptions options = {}) = 0;
    /// reprocessing → pending with one more failure; else as `resolve`.
    virtual db::Task<LetterReport> reject(std::string claim, std::string reason, DeadLetterFilter filter = {},
                                          LetterOptions options = {}) = 0;
    /// pending → discarded.
    virtual db::Task<LetterReport> discard(DeadLetterFilter filter, LetterOptions options = {}) = 0;
    /// Deletes letters that were resolved or discarded at least `older_than` ago, with their history.
    virtual db::Task<LetterReport> cleanup(DeadLetterFilter filter, std::chrono::seconds older_than,
                                           LetterOptions options = {}) = 0;

    /// Keys that are set aside, by subscription and lane, oldest first, at most `limit`.
    virtual db::Task<std::vector<ParkedMessages>> parked(std::optional<std::string> subscription,
                                                         std::uint32_t limit = 100) = 0;
    /// Releases a key that is set aside, held or not; `key` empty: every single message without one. Answers the keys
    /// released. Throws `not_found` for a subscription or queue that the database does not know.
    virtual db::Task<std::uint64_t> release(std::string subscription, std::string queue, std::string key,
                                            Release how = Release::retry, std::string actor = {}) = 0;

    /// The history of one letter, oldest first.
    virtual db::Task<std::vector<LetterAudit>> audit(std::int64_t letter) = 0;
};

}  // namespace sluice::outbox
