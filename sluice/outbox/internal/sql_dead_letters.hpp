// Dead letters and parked keys on the tables.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/outbox/dead_letters.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/letter_filter.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/unit_run.hpp"

namespace sluice::outbox {

/// On the outbox's shard. `on_parked` is told of a key whose first message is to be tried now: after the commit. Of a
/// replay it is told before the commit too (`announced`), so that in between no later message of the key is handed out
/// and nothing of the key is tried: on a server a run would not see what has not committed.
class SqlDeadLetters final : public DeadLetters {
public:
    enum class News : std::uint8_t { announced, written };
    using OnParked =
        std::function<void(const std::string& subscription, std::size_t lane, const std::string& group, News news)>;
    SqlDeadLetters(DeliveryDeps& deps, OnParked on_parked) : deps_(deps), on_parked_(std::move(on_parked)) {}

    db::Task<std::vector<DeadLetter>> list(DeadLetterFilter filter, std::uint32_t limit, std::int64_t after) override;
    db::Task<std::uint64_t> count(DeadLetterFilter filter) override;
    db::Task<LetterReport> replay(DeadLetterFilter filter, LetterOptions options, ReplayPlace place) override;
    db::Task<LetterReport> claim(DeadLetterFilter filter, std::chrono::milliseconds lease,
                                 LetterOptions options) override;
    db::Task<LetterReport> resolve(std::string claim, DeadLetterFilter filter, LetterOptions options) override;
    db::Task<LetterReport> reject(std::string claim, std::string reason, DeadLetterFilter filter,
                                  LetterOptions options) override;
    db::Task<LetterReport> discard(DeadLetterFilter filter, LetterOptions options) override;
    db::Task<LetterReport> cleanup(DeadLetterFilter filter, std::chrono::seconds older_than,
                                   LetterOptions options) override;
    db::Task<std::vector<ParkedMessages>> parked(std::optional<std::string> subscription, std::uint32_t limit) override;
    db::Task<std::uint64_t> release(std::string subscription, std::string queue, std::string key, Release how,
                                    std::string actor) override;
    db::Task<std::vector<LetterAudit>> audit(std::int64_t letter) override;

private:
    /// Which letters a call concerns and what it does to each.
    struct Change {
        std::function<void(SqlText&)> which;
        std::function<void(std::int64_t id, std::vector<db::Statement>& into)> what;
        DeadLetterFilter filter;
        LetterOptions options;
    };
    struct Replay {
        ReplayPlace place = ReplayPlace::lane_end;
        std::string claim;
        std::string actor;
    };
    struct Released {
        std::string subscription;
        std::string queue;
        std::string key;
        Release how = Release::retry;
        std::string actor;
    };
    struct Parked {
        std::string subscription;
        std::size_t lane = 0;
        std::string group;
    };

    db::Task<LetterReport> change(Change change);
    db::Task<LetterReport> change_in(db::UnitOfWork& unit, const Change& change);
    db::Task<std::vector<std::int64_t>> choose(db::UnitOfWork& unit, const Change& change);
    db::Task<LetterReport> replay_in(db::UnitOfWork& unit, const Change& change, const Replay& replay,
                                     std::vector<Parked>& parked);
    void replay_one(const db::Row& row, const Replay& replay, std::vector<Parked>& parked,
                    std::vector<db::Statement>& into) const;
    db::Task<std::vector<Parked>> release_in(db::UnitOfWork& unit, const Released& what);
    db::Task<void> release_one(db::UnitOfWork& unit, const Parked& parked, const Released& what);
    db::Task<void> bury_first(db::UnitOfWork& unit, const Parked& parked, const Item& first, const Released& what);
    void check(const DeadLetterFilter& filter, const LetterOptions& options) const;
    void check_change(const Change& change) const;
    /// Throws `not_found` for a name that the database does not know; `what` is the field's prefix.
    db::Task<void> check_names(db::Session& session, std::optional<std::string> subscription,
                               std::optional<std::string> queue, std::string_view what) const;
    [[nodiscard]] Error fault(ErrorKind kind, const std::string& text) const;
    void tell(const std::vector<Parked>& parked, News news) const;
    [[nodiscard]] db::Dialect dialect() const noexcept { return deps_.source->dialect(); }

    DeliveryDeps& deps_;
    OnParked on_parked_;
};

}  // namespace sluice::outbox
