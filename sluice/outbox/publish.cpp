#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/limits.hpp"
#include "sluice/outbox/internal/publish_buffer.hpp"

namespace sluice::outbox {
namespace {

db::Value text_or_null(std::string text) {
    return text.empty() ? db::Value(db::null) : db::Value(std::move(text));
}

/// As text where it can be, so that people and SQL read it.
db::Value payload_value(std::string payload) {
    if (payload.find('\0') == std::string::npos && core::is_utf8(payload)) return {std::move(payload)};
    return {db::to_bytes(payload)};
}

db::Value trace_value(const std::string& traceparent) {
    const std::optional<std::string> packed = pack_trace(traceparent);
    return packed ? db::Value(db::to_bytes(*packed)) : db::Value(db::null);
}

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

db::Statement PublishBuffer::insert_statement(Outgoing message) {
    return db::statement(
        "insert into sluice_message(queue, key, type, tenant, trace, headers, payload)"
        " values ((select number from sluice_queue where name = $1), $2, $3, $4, $5, $6, $7)",
        std::move(message.queue), text_or_null(std::move(message.key)), std::move(message.type),
        text_or_null(std::move(message.tenant)), trace_value(message.trace),
        message.headers.empty() ? db::Value(db::null) : db::Value(core::json::encode(message.headers)),
        payload_value(std::move(message.payload)));
}

std::vector<db::Statement> PublishBuffer::flush(db::UnitOfWork&) {
    std::vector<db::Statement> statements;
    statements.reserve(pending_.size());
    for (Pending& pending : pending_)
        statements.push_back(insert_statement(std::move(pending.message)));
    return statements;
}

void PublishBuffer::flushed(std::span<const db::Result> results) noexcept {
    for (std::size_t i = 0; i < pending_.size() && i < results.size(); ++i)
        *pending_[i].id = results[i].last_insert_id;
}

}  // namespace sluice::outbox
