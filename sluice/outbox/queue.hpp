// A typed queue binds name, lanes, key and codec: publishing the wrong type does not compile.
//
//     using StockEvent = std::variant<StockReceived, OrderPlaced>;              // described structs
//     const outbox::Queue<StockEvent> stock("stock", outbox::lanes(16), [](const StockEvent& e) { return article_of(e);
//     }); stock.publish(unit, OrderPlaced{…});                                       // written right before COMMIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/unit_of_work.hpp"
#include "sluice/outbox/codec.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// 1–4,096, a power of two; anything else is a `config` error at start.
struct Lanes {
    std::uint16_t count = 16;
};
[[nodiscard]] constexpr Lanes lanes(std::uint16_t count) {
    return Lanes{count};
}

/// What a producer gives; limits are checked at once: queue 1–255 of [A-Za-z0-9._-], first and last alphanumeric; type
/// 1–255 printable ASCII; key at most 512 bytes, tenant 255, of UTF-8 without NUL; trace a W3C traceparent; header
/// names 1–128 printable ASCII, not beginning with "sluice-", values UTF-8 without NUL.
struct Outgoing {
    std::string queue;
    std::string key;
    std::string type;
    std::string payload;
    std::string tenant;
    std::string trace;
    Headers headers;
};

/// What one unit of work may publish.
struct PublishLimits {
    std::size_t payload_bytes = std::size_t{1} << 20;
    std::size_t header_bytes = std::size_t{16} << 10;  ///< names and values of one message together
    std::size_t unit_messages = 100'000;
};

/// The message's id once the unit committed; 0 before, and for ever when it rolled back.
class Published {
public:
    Published() : id_(std::make_shared<std::int64_t>(0)) {}
    [[nodiscard]] core::MessageId id() const noexcept { return core::MessageId(*id_); }

private:
    friend class PublishBuffer;
    std::shared_ptr<std::int64_t> id_;  // shared with the unit's publish buffer until it is flushed
};

/// Buffers `message` in `unit`; it is written right before COMMIT and taken back with the savepoint it was published
/// in. Throws outbox::Error `bad_message` naming the field, its place and the limit; then nothing of the unit was
/// harmed. A queue that the database does not know fails the COMMIT with a `constraint` error naming
/// sluice_queue_is_not_declared.
Published publish(db::UnitOfWork& unit, Outgoing message, const PublishLimits& limits = {});

/// All or none: one bad message rejects the batch before anything is buffered. Answers in the order given.
std::vector<Published> publish_all(db::UnitOfWork& unit, std::vector<Outgoing> messages,
                                   const PublishLimits& limits = {});

/// Thread-safe once built.
template <class Event>
class Queue {
public:
    using KeyOf = std::function<std::string(const Event&)>;

    Queue(std::string name, Lanes lanes, KeyOf key_of)
        : name_(std::move(name)), lanes_(lanes), key_of_(std::move(key_of)) {}

    Published publish(db::UnitOfWork& unit, const Event& event, Headers headers = {}) const {
        Outgoing message;
        message.queue = name_;
        message.key = key_of_(event);
        message.type = Codec<Event>::type(event);
        message.payload = Codec<Event>::encode(event);
        message.headers = std::move(headers);
        return outbox::publish(unit, std::move(message));
    }

    [[nodiscard]] std::expected<Event, std::string> decode(const Message& message) const {
        return Codec<Event>::decode(message.type, message.payload);
    }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] Lanes lanes() const noexcept { return lanes_; }
    [[nodiscard]] std::string key_of(const Event& event) const { return key_of_(event); }

private:
    std::string name_;
    Lanes lanes_;
    KeyOf key_of_;
};

}  // namespace sluice::outbox
