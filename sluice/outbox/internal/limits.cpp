#include "sluice/outbox/internal/limits.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/utf8.hpp"

namespace sluice::outbox {
namespace {

constexpr std::size_t kNameBytes = 255;
constexpr std::size_t kKeyBytes = 512;
constexpr std::size_t kHeaderNameBytes = 128;
constexpr std::size_t kTraceBytes = 25;

bool alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool storable(std::string_view text) {
    return text.find('\0') == std::string_view::npos && core::is_utf8(text);
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

std::optional<std::string> fault_of_header(const std::string& name, const std::string& value) {
    if (name.empty() || name.size() > kHeaderNameBytes || !printable(name))
        return fmt::format("a header name of {} bytes is not 1 to {} bytes of printable ASCII", name.size(),
                           kHeaderNameBytes);
    if (name.starts_with(kOwnHeaderPrefix))
        return fmt::format("header '{}': names beginning with '{}' are the outbox's own", name, kOwnHeaderPrefix);
    if (!storable(value)) return fmt::format("header '{}' is not UTF-8 without NUL", name);
    return std::nullopt;
}

std::optional<std::string> fault_of_headers(const Headers& headers, std::size_t limit) {
    std::size_t bytes = 0;
    for (const auto& [name, value] : headers) {
        if (auto fault = fault_of_header(name, value)) return fault;
        bytes += name.size() + value.size();
    }
    if (bytes > limit) return fmt::format("headers of {} bytes exceed the limit of {}", bytes, limit);
    return std::nullopt;
}

}  // namespace

std::optional<std::string> fault_of_name(std::string_view name) {
    const bool fits =
        !name.empty() && name.size() <= kNameBytes && alphanumeric(name.front()) && alphanumeric(name.back()) &&
        std::ranges::all_of(name, [](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
    if (fits) return std::nullopt;
    const std::string shown = printable(name) ? std::string(name.substr(0, 64)) : "…";
    return fmt::format("'{}' is not 1 to {} of [A-Za-z0-9._-] with an alphanumeric at either end", shown, kNameBytes);
}

std::optional<std::string> fault_of(const Outgoing& message, const PublishLimits& limits) {
    if (auto fault = fault_of_name(message.queue)) return "queue " + *fault;
    if (message.type.empty() || message.type.size() > kNameBytes || !printable(message.type))
        return fmt::format("a type of {} bytes is not 1 to {} bytes of printable ASCII", message.type.size(),
                           kNameBytes);
    if (message.key.size() > kKeyBytes || !storable(message.key))
        return fmt::format("a key of {} bytes is not at most {} bytes of UTF-8 without NUL", message.key.size(),
                           kKeyBytes);
    if (message.tenant.size() > kNameBytes || !storable(message.tenant))
        return fmt::format("a tenant of {} bytes is not at most {} bytes of UTF-8 without NUL", message.tenant.size(),
                           kNameBytes);
    if (message.payload.size() > limits.payload_bytes)
        return fmt::format("a payload of {} bytes exceeds the limit of {}", message.payload.size(),
                           limits.payload_bytes);
    if (!message.trace.empty() && !pack_trace(message.trace)) return "trace is not a W3C traceparent of version 00";
    return fault_of_headers(message.headers, limits.header_bytes);
}

std::optional<std::string> pack_trace(std::string_view traceparent) {
    constexpr std::string_view kShape = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    if (traceparent.size() != kShape.size()) return std::nullopt;
    std::string bytes;
    for (std::size_t i = 0; i < kShape.size();) {
        if (kShape[i] != 'x') {
            if (traceparent[i] != kShape[i]) return std::nullopt;
            ++i;
            continue;
        }
        const int high = hex_digit(traceparent[i]);
        const int low = hex_digit(traceparent[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return bytes;
}

std::string unpack_trace(std::string_view bytes) {
    if (bytes.size() != kTraceBytes) return {};
    std::string text = "00-";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 16 || i == 24) text.push_back('-');
        text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    }
    return text;
}

}  // namespace sluice::outbox
