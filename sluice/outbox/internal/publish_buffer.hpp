// The messages that one unit of work publishes, until its COMMIT carries them along.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sluice/outbox/internal/queue_numbers.hpp"
#include "sluice/outbox/queue.hpp"

namespace sluice::outbox {

/// Lives with its unit; messages published in a savepoint that is undone are taken back.
class PublishBuffer final : public db::UnitAttachment {
public:
    [[nodiscard]] std::size_t size() const noexcept { return pending_.size(); }
    /// `message` has been checked.
    Published add(Outgoing message);

    void mark() override;
    void rollback_to_mark() override;
    void release_mark() override;
    std::vector<db::Statement> flush(db::UnitOfWork& unit) override;
    void flushed(std::span<const db::Result> results) noexcept override;

private:
    struct Pending {
        Outgoing message;
        std::shared_ptr<std::int64_t> id;
    };
    std::vector<Pending> pending_;
    std::vector<std::size_t> marks_;
    std::shared_ptr<db::CommitSignal> news_;
    std::shared_ptr<QueueNumbers> numbers_;  // shared by the units of the data source
    std::vector<std::string> queues_;        // of the messages in the order of their statements
};

}  // namespace sluice::outbox
