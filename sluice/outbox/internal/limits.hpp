// What a name, key or message must look like. Pure: each answers what is wrong, or nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/outbox/queue.hpp"

namespace sluice::outbox {

/// Queues and subscriptions: 1–255 of [A-Za-z0-9._-], first and last alphanumeric.
[[nodiscard]] std::optional<std::string> fault_of_name(std::string_view name);
/// All fields; the text names the field, what it holds (never the payload) and the limit.
[[nodiscard]] std::optional<std::string> fault_of(const Outgoing& message, const PublishLimits& limits);

/// Headers of this prefix are the outbox's own.
inline constexpr std::string_view kOwnHeaderPrefix = "sluice-";
/// On a replayed message: the one subscription that it is for, and the dead letter and claim it came from.
inline constexpr std::string_view kOnlyHeader = "sluice-only";
inline constexpr std::string_view kLetterHeader = "sluice-letter";
inline constexpr std::string_view kClaimHeader = "sluice-claim";
/// What a header text was that is not a JSON object of strings.
inline constexpr std::string_view kMalformedHeader = "sluice-malformed-headers";

/// "00-<32 hex>-<16 hex>-<2 hex>" as 25 bytes; nothing for any other text.
[[nodiscard]] std::optional<std::string> pack_trace(std::string_view traceparent);
/// The text of 25 bytes; empty for any other length.
[[nodiscard]] std::string unpack_trace(std::string_view bytes);

}  // namespace sluice::outbox
