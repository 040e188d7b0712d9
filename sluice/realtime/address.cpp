#include "sluice/realtime/address.hpp"

#include <algorithm>

#include "sluice/core/utf8.hpp"

namespace sluice::realtime {
namespace {

constexpr std::size_t kLargestNamespace = 48;
constexpr char kHexDigits[] = "0123456789ABCDEF";

constexpr bool stands_for_itself(unsigned char byte) noexcept {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '.' || byte == '_' || byte == '~' || byte == '-';
}

constexpr int hex_value(char digit) noexcept {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool is_namespace(std::string_view text) noexcept {
    if (text.empty() || text.size() > kLargestNamespace || text[0] < 'a' || text[0] > 'z') return false;
    return std::ranges::all_of(text,
                               [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::expected<std::string, AddressError> unescape(std::string_view wire) {
    std::string segment;
    segment.reserve(wire.size());
    for (std::size_t i = 0; i < wire.size(); ++i) {
        if (wire[i] != '%') {
            if (!stands_for_itself(static_cast<unsigned char>(wire[i]))) return std::unexpected(AddressError::bad_byte);
            segment.push_back(wire[i]);
            continue;
        }
        const int high = i + 1 < wire.size() ? hex_value(wire[i + 1]) : -1;
        const int low = i + 2 < wire.size() ? hex_value(wire[i + 2]) : -1;
        if (high < 0 || low < 0) return std::unexpected(AddressError::bad_escape);
        const auto byte = static_cast<unsigned char>(high * 16 + low);
        if (stands_for_itself(byte)) return std::unexpected(AddressError::not_canonical);
        segment.push_back(static_cast<char>(byte));
        i += 2;
    }
    return segment;
}

std::optional<AddressError> flaw_of(std::string_view segment) {
    if (segment.empty()) return AddressError::empty;
    if (segment.size() > kLargestSegment) return AddressError::too_long;
    if (segment.contains('\0') || !core::is_utf8(segment)) return AddressError::not_utf8;
    return std::nullopt;
}

/// Calls `each` with the wire form of every segment of `name`; stops at the first that it answers an error for.
template <class Each>
std::optional<AddressError> for_each_segment(std::string_view name, Each each) {
    while (true) {
        const std::size_t slash = name.find('/');
        if (std::optional<AddressError> flaw = each(name.substr(0, slash))) return flaw;
        if (slash == std::string_view::npos) return std::nullopt;
        name.remove_prefix(slash + 1);
    }
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) noexcept {
    for (const char c : text)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return (hash ^ 0xff) * 0x100000001b3ULL;  // a separator no UTF-8 text contains
}

}  // namespace

std::uint64_t hash_of(const ChannelAddress& address) noexcept {
    std::uint64_t hash = mix(mix(mix(0xcbf29ce484222325ULL, address.tenant.text()), address.ns), address.name);
    hash ^= hash >> 32;  // FNV's low bits are weak and the home is chosen by them
    hash *= 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

std::string_view to_string(AddressError error) noexcept {
    switch (error) {
        case AddressError::empty:
            return "the channel or one of its segments is empty; expected namespace/name";
        case AddressError::too_long:
            return "the channel is longer than 2048 bytes or a segment longer than 512";
        case AddressError::bad_namespace:
            return "the namespace has to be a lower-case letter, then letters, digits or _, at most 48";
        case AddressError::bad_byte:
            return "bytes other than A-Z a-z 0-9 . _ ~ - have to be written as %XX";
        case AddressError::bad_escape:
            return "% has to be followed by two upper-case hexadecimal digits";
        case AddressError::not_canonical:
            return "a byte that needs no escape is escaped; each channel has one spelling";
        case AddressError::not_utf8:
            return "a segment has to be UTF-8 without NUL";
    }
    return "bad channel";
}

std::expected<ChannelAddress, AddressError> parse_channel(const tenant::TenantId& tenant, std::string_view wire) {
    if (wire.empty()) return std::unexpected(AddressError::empty);
    if (wire.size() > kLargestAddress) return std::unexpected(AddressError::too_long);
    const std::size_t slash = wire.find('/');
    const std::string_view ns = wire.substr(0, slash);
    if (!is_namespace(ns)) return std::unexpected(AddressError::bad_namespace);
    if (slash == std::string_view::npos) return std::unexpected(AddressError::empty);
    const std::string_view name = wire.substr(slash + 1);
    const auto flaw = for_each_segment(name, [](std::string_view escaped) -> std::optional<AddressError> {
        auto segment = unescape(escaped);
        return segment ? flaw_of(*segment) : std::optional(segment.error());
    });
    if (flaw) return std::unexpected(*flaw);
    return ChannelAddress{tenant, std::string(ns), std::string(name)};
}

std::string format_channel(const ChannelAddress& address) {
    return address.ns + "/" + address.name;
}

std::expected<ChannelAddress, AddressError> make_channel(const tenant::TenantId& tenant, std::string_view ns,
                                                         const std::vector<std::string_view>& segments) {
    if (!is_namespace(ns)) return std::unexpected(AddressError::bad_namespace);
    if (segments.empty()) return std::unexpected(AddressError::empty);
    std::string name;
    for (const std::string_view segment : segments) {
        if (const auto flaw = flaw_of(segment)) return std::unexpected(*flaw);
        if (!name.empty()) name.push_back('/');
        name += escape_segment(segment);
    }
    if (ns.size() + 1 + name.size() > kLargestAddress) return std::unexpected(AddressError::too_long);
    return ChannelAddress{tenant, std::string(ns), std::move(name)};
}

std::vector<std::string> segments_of(const ChannelAddress& address) {
    std::vector<std::string> segments;
    for_each_segment(address.name, [&](std::string_view escaped) -> std::optional<AddressError> {
        segments.push_back(unescape(escaped).value_or(std::string(escaped)));
        return std::nullopt;
    });
    return segments;
}

std::string escape_segment(std::string_view segment) {
    std::string escaped;
    escaped.reserve(segment.size());
    for (const char c : segment) {
        const auto byte = static_cast<unsigned char>(c);
        if (stands_for_itself(byte)) {
            escaped.push_back(c);
        } else {
            escaped.push_back('%');
            escaped.push_back(kHexDigits[byte >> 4]);
            escaped.push_back(kHexDigits[byte & 15]);
        }
    }
    return escaped;
}

}  // namespace sluice::realtime
