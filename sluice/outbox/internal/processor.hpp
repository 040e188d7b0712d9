// Performs the steps that a lane's machine decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "sluice/core/log.hpp"
#include "sluice/core/random.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/outbox/internal/subscription.hpp"
#include "sluice/runtime/shard.hpp"

namespace sluice::outbox {

class AckFlusher;

/// What every processor needs; owned by the outbox.
struct DeliveryDeps {
    std::shared_ptr<db::DataSource> source;
    runtime::Shard& shard;
    core::Logger log;
    core::Random random;
    std::map<std::int32_t, std::string> queue_names;

    /// "#17" for a queue that this process does not know.
    [[nodiscard]] std::string queue_name(std::int32_t number) const;
    [[nodiscard]] core::SteadyTime now() const noexcept { return shard.clock().steady_now(); }
};

/// One per subscription; several lanes run at once, each one step at a time. On the outbox's shard.
class Processor {
public:
    virtual ~Processor() = default;
    /// Performs a `batch` or `parked` step and tells the lane what came of it. Answers the messages done with. Throws
    /// only when cancelled: every other failure is the lane's to wait out.
    virtual db::Task<std::uint64_t> run(std::size_t lane, LaneStep step) = 0;
};

/// Whose fault an exception is that left a unit of work.
enum class Fault : std::uint8_t {
    message,   ///< the handler's, or its message's: counted
    unit,      ///< the unit is gone and any of its messages may be why: isolated, then counted
    database,  ///< nobody's: the same again after a pause
    unknown,   ///< the outcome of COMMIT is unknown: look, then as `database`
    cursor,    ///< somebody else moved or took the cursor: look
    cancelled,
};
[[nodiscard]] Fault fault_of_error(const std::exception_ptr& error) noexcept;

/// A write that must hit one row missed it: the cursor is another owner's, or a message is missing.
class FenceMissed final : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "the cursor is no longer this process's"; }
};

/// Leaves a unit of work so that it is rolled back; the caller knows why.
class Undone final : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override {
        return "the handler asked for the message to be undone";
    }
};

[[nodiscard]] std::unique_ptr<Processor> make_transactional_processor(DeliveryDeps& deps, Subscription& subscription);
[[nodiscard]] std::unique_ptr<Processor> make_leased_processor(DeliveryDeps& deps, Subscription& subscription,
                                                               AckFlusher& flusher);

/// Moves the cursor of a lane in which nothing waits to what it has looked at (a merged one passes other queues'
/// messages).
db::Task<void> catch_up(DeliveryDeps& deps, Subscription& subscription, std::size_t lane);

/// Reads the cursor, the attempts and the parked keys of one lane again, after something happened to them that this
/// process cannot know. A cursor of another epoch makes the subscription lost, which is logged.
db::Task<void> reload_lane(DeliveryDeps& deps, Subscription& subscription, std::size_t lane);
/// The attempts and the parked keys of every lane (or one), as a start finds them.
db::Task<void> load_exceptions(db::Session& session, Subscription& subscription, core::SteadyTime now,
                               std::optional<std::size_t> only_lane);

}  // namespace sluice::outbox
