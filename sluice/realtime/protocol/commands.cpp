#include "sluice/realtime/protocol/commands.hpp"

#include <utility>

#include <fmt/format.h>

#include "sluice/core/json/node.hpp"
#include "sluice/realtime/address.hpp"

namespace sluice::realtime::protocol {
namespace {

using core::json::Node;

constexpr std::int64_t kLargestNumericId = std::int64_t{1} << 31;
constexpr std::size_t kDeepest = 64;

std::unexpected<CommandError> refuse(std::string message, RequestId id = {}, ErrorCode code = ErrorCode::bad_request) {
    return std::unexpected(CommandError{std::move(id), code, std::move(message)});
}

std::expected<core::json::Document, CommandError> parse_object(std::string_view text) {
    auto document = core::json::parse(text, {.bytes = text.size(), .depth = kDeepest, .safe_integers = true});
    if (!document) return refuse("not a JSON message: " + core::json::to_string(document.error()));
    if (document->root().kind() != core::json::Kind::object)
        return refuse(
            fmt::format("a message is a JSON object, this is {}", core::json::to_string(document->root().kind())));
    return std::move(*document);
}

/// Nothing if there is no such member.
std::expected<std::optional<std::string>, std::string> text_member(Node object, std::string_view name,
                                                                   std::size_t largest) {
    const auto member = object.find(name);
    if (!member) return std::nullopt;
    const auto text = member->string();
    if (!text) return std::unexpected(fmt::format("{} has to be a string", name));
    if (text->empty() || text->size() > largest)
        return std::unexpected(fmt::format("{} has to have 1 to {} bytes", name, largest));
    return std::string(*text);
}

std::expected<RequestId, std::string> id_of(Node object) {
    const auto member = object.find("id");
    if (!member) return RequestId();
    if (const auto number = member->integer(); number && *number >= 0 && *number <= kLargestNumericId)
        return member->text();
    if (const auto text = member->string(); text && text->size() <= kLargestRequestId) return member->text();
    return std::unexpected(fmt::format("id has to be a number from 0 to {} or a string of at most {} bytes",
                                       kLargestNumericId, kLargestRequestId));
}

std::expected<std::optional<Position>, std::string> position_of(Node object) {
    auto epoch = text_member(object, "epoch", kLargestEpoch);
    if (!epoch) return std::unexpected(std::move(epoch.error()));
    const auto version = object.find("version");
    if (!*epoch && !version) return std::nullopt;
    if (!*epoch || !version) return std::unexpected("epoch and version come together");
    const auto number = version->integer();
    if (!number || *number < 0 || *number > core::kLargestVersion)
        return std::unexpected("version has to be an integer from 0 to 2^53-1");
    return Position{std::move(**epoch), core::Version(*number)};
}

std::expected<std::string, std::string> channel_of(Node object) {
    auto channel = text_member(object, "channel", kLargestAddress);
    if (!channel) return std::unexpected(std::move(channel.error()));
    if (!*channel) return std::unexpected("channel is missing");
    return std::move(**channel);
}

std::expected<Command, CommandError> parse_subscribe(Node object, RequestId id) {
    auto channel = channel_of(object);
    if (!channel) return refuse(std::move(channel.error()), std::move(id));
    auto from = position_of(object);
    if (!from) return refuse(std::move(from.error()), std::move(id));
    return Subscribe{std::move(id), std::move(*channel), std::move(*from)};
}

std::expected<Command, CommandError> parse_hello(Node object) {
    Hello hello;
    const auto resume = object.find("resume");
    if (!resume) return hello;
    if (resume->kind() != core::json::Kind::array) return refuse("resume has to be an array");
    for (const Node entry : *resume) {
        auto one = parse_subscribe(entry, {});
        if (!one) return refuse("resume: " + one.error().message);
        hello.resume.push_back(std::get<Subscribe>(std::move(*one)));
    }
    return hello;
}

std::expected<Command, CommandError> parse_event(Node object, RequestId id) {
    auto channel = channel_of(object);
    if (!channel) return refuse(std::move(channel.error()), std::move(id));
    auto event = text_member(object, "event", kLargestEventName);
    if (!event) return refuse(std::move(event.error()), std::move(id));
    if (!*event) return refuse("event is missing", std::move(id));
    const auto data = object.find("data");
    return ClientEvent{std::move(id), std::move(*channel), std::move(**event), data ? data->text() : "null"};
}

std::expected<Command, CommandError> parse_unsubscribe(Node object, RequestId id) {
    auto channel = channel_of(object);
    if (!channel) return refuse(std::move(channel.error()), std::move(id));
    return Unsubscribe{std::move(id), std::move(*channel)};
}

}  // namespace

std::string_view to_string(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::bad_request:
            return "bad_request";
        case ErrorCode::unauthorized:
            return "unauthorized";
        case ErrorCode::forbidden:
            return "forbidden";
        case ErrorCode::limit:
            return "limit";
        case ErrorCode::rate:
            return "rate";
        case ErrorCode::too_large:
            return "too_large";
        case ErrorCode::overloaded:
            return "overloaded";
        case ErrorCode::internal:
            return "internal";
    }
    return "internal";
}

std::expected<Command, CommandError> parse_command(std::string_view text) {
    auto document = parse_object(text);
    if (!document) return std::unexpected(std::move(document.error()));
    const Node root = document->root();
    auto id = id_of(root);
    if (!id) return refuse(std::move(id.error()));
    auto type = text_member(root, "type", kLargestEventName);
    if (!type) return refuse(std::move(type.error()), std::move(*id));
    if (!*type) return refuse("type is missing", std::move(*id));
    const std::string& name = **type;
    if (name == "pong") return Pong{};
    if (name == "hello") return parse_hello(root);
    const bool needs_id = name == "subscribe" || name == "unsubscribe" || name == "refresh";
    if (needs_id && id->empty()) return refuse(fmt::format("{} needs an id", name));
    if (name == "subscribe") return parse_subscribe(root, std::move(*id));
    if (name == "unsubscribe") return parse_unsubscribe(root, std::move(*id));
    if (name == "refresh") return Refresh{std::move(*id)};
    if (name == "event") return parse_event(root, std::move(*id));
    return refuse(
        fmt::format("unknown type '{}'; a client sends hello, subscribe, unsubscribe, event, refresh or pong", name),
        std::move(*id));
}

std::expected<GatewayEvent, CommandError> parse_gateway_event(std::string_view text) {
    auto document = parse_object(text);
    if (!document) return std::unexpected(std::move(document.error()));
    auto event = text_member(document->root(), "event", kLargestEventName);
    if (!event) return refuse(std::move(event.error()));
    if (!*event) return refuse("event is missing");
    const auto data = document->root().find("data");
    return GatewayEvent{std::move(**event), data ? data->text() : "null"};
}

}  // namespace sluice::realtime::protocol
