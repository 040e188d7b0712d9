// The address of a channel: (tenant, namespace, name). On the wire it is `namespace/name`; the tenant is the
// connection's and never travels.
//
//     auto address = realtime::make_channel(tenant, "projection", {"stock_level", "A/1"});
//     realtime::format_channel(*address);                                   // projection/stock_level/A%2F1
//     realtime::parse_channel(tenant, "projection/stock_level/A%2F1");      // the same address
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/tenant/tenant_id.hpp"

namespace sluice::realtime {

/// A segment has 1 to 512 bytes before escaping, an address at most 2 KiB as written.
inline constexpr std::size_t kLargestSegment = 512;
inline constexpr std::size_t kLargestAddress = 2048;

/// One channel of one tenant. `name` is the wire form of everything behind the namespace: one or more segments joined
/// by
/// `/`, each escaped by `escape_segment`; so two names are equal exactly when their channels are.
struct ChannelAddress {
    tenant::TenantId tenant;
    std::string ns;
    std::string name;

    friend auto operator<=>(const ChannelAddress&, const ChannelAddress&) = default;
};

/// Stable within a process; decides the home shard.
[[nodiscard]] std::uint64_t hash_of(const ChannelAddress& address) noexcept;

enum class AddressError : std::uint8_t {
    empty,          ///< no text, no name, or an empty segment
    too_long,       ///< an address over 2 KiB or a segment over 512 bytes
    bad_namespace,  ///< not `[a-z][a-z0-9_]{0,47}`
    bad_byte,       ///< a byte that has to be escaped
    bad_escape,     ///< not `%` and two upper-case hex digits
    not_canonical,  ///< an escape of a byte that stands for itself
    not_utf8,       ///< a segment that is not UTF-8, or holds NUL
};

/// One sentence for the client that sent it.
[[nodiscard]] std::string_view to_string(AddressError error) noexcept;

/// The wire form `namespace/name` of a channel of `tenant`. There is one spelling per channel; others are refused.
/// Never throws.
[[nodiscard]] std::expected<ChannelAddress, AddressError> parse_channel(const tenant::TenantId& tenant,
                                                                        std::string_view wire);
/// The inverse: what clients send and receive.
[[nodiscard]] std::string format_channel(const ChannelAddress& address);

/// The channel `ns` / `segments[0]` / …, segments unescaped: `make_channel(tenant, "projection", {"stock_level",
/// key})`. Refuses what `parse_channel` would.
[[nodiscard]] std::expected<ChannelAddress, AddressError> make_channel(const tenant::TenantId& tenant,
                                                                       std::string_view ns,
                                                                       const std::vector<std::string_view>& segments);
/// The segments of `address.name`, unescaped.
[[nodiscard]] std::vector<std::string> segments_of(const ChannelAddress& address);

/// Bytes outside `A-Z a-z 0-9 . _ ~ -` as `%XX` in upper case.
[[nodiscard]] std::string escape_segment(std::string_view segment);

}  // namespace sluice::realtime

template <>
struct std::hash<sluice::realtime::ChannelAddress> {
    std::size_t operator()(const sluice::realtime::ChannelAddress& address) const noexcept {
        return sluice::realtime::hash_of(address);
    }
};
