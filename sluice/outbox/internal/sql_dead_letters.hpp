// Dead letters and parked keys on the tables.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/outbox/dead_letters.hpp"
#include "sluice/outbox/internal/letter_filter.hpp"
#include "sluice/outbox/internal/processor.hpp"

namespace sluice::outbox {

/// On the outbox's shard. `on_parked` is told, after the commit, of a key whose first message is to be tried now.
class SqlDeadLetters final : public DeadLetters {
public:
    using OnParked = std::function<void(const std::string& subscription, std::size_t lane, const std::string& group)>;
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
    db::Task<LetterReport> replay_in(db::UnitOfWork& unit, const Change& change, ReplayPlace place, std::string token,
                                     std::vector<Parked>& parked);
    db::Task<bool> replay_one(db::UnitOfWork& unit, std::int64_t id, ReplayPlace place, std::string token,
                              std::vector<Parked>& parked);
    db::Task<std::vector<Parked>> release_in(db::UnitOfWork& unit, const Released& what);
    db::Task<void> release_one(db::UnitOfWork& unit, const Parked& parked, const Released& what);
    void check(const DeadLetterFilter& filter, const LetterOptions& options) const;
    void tell(const std::vector<Parked>& parked) const;
    [[nodiscard]] db::Dialect dialect() const noexcept { return deps_.source->dialect(); }

    DeliveryDeps& deps_;
    OnParked on_parked_;
};

}  // namespace sluice::outbox
