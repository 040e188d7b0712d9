// Reads the log back: ticks, then their messages, in one snapshot. Fewer rows than the ledger names is an error, never
// a skip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/log_slice.hpp"

namespace sluice::outbox {

struct ReadLimits {
    std::uint32_t messages = 4'000;
    std::size_t bytes = std::size_t{8} << 20;
};

/// Coroutines; use on one shard. Stateless apart from the names of queues.
class LogReader {
public:
    LogReader(std::shared_ptr<db::DataSource> source, std::map<std::int32_t, std::string> queue_names);

    /// What follows `from` in ledger order of `queues` (empty: of all), in one stretch within the limits; it ends where
    /// it begins when nothing follows. Throws outbox::Error `corrupt` for a message that is missing.
    db::Task<LogSlice> read(ReadPoint from, std::set<std::int32_t> queues, ReadLimits limits);
    /// As `read`, from the message behind position `after`. Throws `gone` naming the oldest position kept when messages
    /// in between were removed.
    db::Task<LogSlice> read_behind(core::Position after, ReadLimits limits);
    /// The first position that can be read; 1 when nothing was ever removed.
    db::Task<core::Position> oldest_kept();

    [[nodiscard]] std::string queue_name(std::int32_t number) const;

private:
    struct Reference;
    struct Range;

    db::Task<LogSlice> read_in(db::UnitOfWork& unit, ReadPoint from, const std::set<std::int32_t>& queues,
                               ReadLimits limits);
    db::Task<std::vector<Tick>> read_ticks(db::UnitOfWork& unit, std::int64_t from, std::uint32_t messages);
    db::Task<void> read_messages(db::UnitOfWork& unit, const Range& range, std::vector<Reference>& wanted,
                                 LogSlice& slice);
    db::Task<void> read_by_transaction(db::UnitOfWork& unit, const std::vector<Tick>& ticks,
                                       const std::vector<Reference>& wanted, std::size_t bytes, LogSlice& slice);
    db::Task<void> read_by_ids(db::UnitOfWork& unit, const std::vector<Reference>& wanted, std::size_t bytes,
                               LogSlice& slice);
    static void end_before(const Reference& reference, LogSlice& slice);
    [[nodiscard]] std::shared_ptr<const Message> placed(Message message, const Reference& reference) const;
    [[noreturn]] void fail_missing(const Reference& reference) const;
    db::Task<LogSlice> read_behind_in(db::UnitOfWork& unit, core::Position after, ReadLimits limits);

    std::shared_ptr<db::DataSource> source_;
    std::map<std::int32_t, std::string> queue_names_;
};

/// The ledger as `session` sees it, with `queues` declared; rows as a start reads them (at most kCheckpointEvery).
db::Task<Ledger> load_ledger(db::Session& session, std::map<std::int32_t, std::uint16_t> queues, std::string source);

}  // namespace sluice::outbox
