#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/append.hpp"
#include "sluice/outbox/internal/limits.hpp"
#include "sluice/outbox/internal/publish_buffer.hpp"

namespace sluice::outbox {
namespace {

void check_room(const PublishBuffer& buffer, std::size_t more, const db::UnitOfWork& unit,
                const PublishLimits& limits) {
    if (buffer.size() + more <= limits.unit_messages) return;
    throw Error(ErrorKind::bad_message, unit.source(),
                fmt::format("a unit of work publishes at most {} messages; split it", limits.unit_messages));
}

}  // namespace

Published publish(db::UnitOfWork& unit, Outgoing message, const PublishLimits& limits) {
    if (const auto fault = fault_of(message, limits)) throw Error(ErrorKind::bad_message, unit.source(), *fault);
    auto& buffer = unit.attachment<PublishBuffer>();
    check_room(buffer, 1, unit, limits);
    return buffer.add(std::move(message));
}

std::vector<Published> publish_all(db::UnitOfWork& unit, std::vector<Outgoing> messages, const PublishLimits& limits) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (const auto fault = fault_of(messages[i], limits))
            throw Error(ErrorKind::bad_message, unit.source(), fmt::format("message {}: {}", i, *fault));
    }
    auto& buffer = unit.attachment<PublishBuffer>();
    check_room(buffer, messages.size(), unit, limits);
    std::vector<Published> published;
    published.reserve(messages.size());
    for (Outgoing& message : messages)
        published.push_back(buffer.add(std::move(message)));
    return published;
}

Published PublishBuffer::add(Outgoing message) {
    Published published;
    pending_.push_back({std::move(message), published.id_});
    return published;
}

void PublishBuffer::mark() {
    marks_.push_back(pending_.size());
}

void PublishBuffer::rollback_to_mark() {
    pending_.resize(marks_.back());
    marks_.pop_back();
}

void PublishBuffer::release_mark() {
    marks_.pop_back();
}

std::vector<db::Statement> PublishBuffer::flush(db::UnitOfWork& unit) {
    news_ = unit.news();
    numbers_ = unit.companions() ? unit.companions()->get<QueueNumbers>() : std::make_shared<QueueNumbers>();
    std::vector<Outgoing> messages;
    messages.reserve(pending_.size());
    queues_.reserve(pending_.size());
    for (Pending& pending : pending_) {
        queues_.push_back(pending.message.queue);
        messages.push_back(std::move(pending.message));
    }
    return append_all(std::move(messages), unit.dialect(), *numbers_);
}

void PublishBuffer::flushed(std::span<const db::Result> results) noexcept {
    const std::vector<Appended> all = appended(results);
    for (std::size_t i = 0; i < pending_.size() && i < all.size(); ++i) {
        *pending_[i].id = all[i].id;
        if (all[i].queue_number) numbers_->learn(queues_[i], *all[i].queue_number);
    }
    if (news_ && !pending_.empty() && !core::mutant("outbox_publish_without_news")) news_->raise();
}

}  // namespace sluice::outbox
