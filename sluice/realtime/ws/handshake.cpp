#include "sluice/realtime/ws/handshake.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <boost/container/small_vector.hpp>

#include "sluice/core/assert.hpp"

namespace sluice::realtime::ws {
namespace {

constexpr std::string_view kKeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Fetched once: OpenSSL looks an algorithm up by name each time it is asked for by EVP_sha1().
const EVP_MD* sha1() {
    static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA1", nullptr);
    SLUICE_ASSERT(fetched != nullptr, "OpenSSL has no SHA-1, which RFC 6455 needs");
    return fetched;
}

/// A request repeats hardly any field, so its values stay on the stack.
using Values = boost::container::small_vector<std::string_view, 4>;

constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) noexcept {
    const auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && blank(text.back()))
        text.remove_suffix(1);
    return text;
}

Values values_of(const UpgradeRequest& request, std::string_view name) {
    Values values;
    for (const HeaderView& header : request.headers)
        if (same_word(header.name, name)) values.push_back(trim(header.value));
    return values;
}

Values list_of(const UpgradeRequest& request, std::string_view name) {
    Values items;
    for (std::string_view value : values_of(request, name)) {
        while (true) {
            const std::size_t comma = value.find(',');
            if (const std::string_view item = trim(value.substr(0, comma)); !item.empty()) items.push_back(item);
            if (comma == std::string_view::npos) break;
            value.remove_prefix(comma + 1);
        }
    }
    return items;
}

bool has_token(const UpgradeRequest& request, std::string_view name, std::string_view token) {
    return std::ranges::any_of(list_of(request, name),
                               [token](std::string_view item) { return same_word(item, token); });
}

bool is_token(std::string_view text) noexcept {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        const char l = lower(c);
        return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || kMarks.contains(c);
    });
}

/// Base64 of exactly 16 bytes: 22 digits of which the last holds four zero bits, then "==".
bool is_key(std::string_view key) noexcept {
    if (key.size() != 24 || !key.ends_with("==")) return false;
    const std::string_view digits = key.substr(0, 22);
    if (!std::ranges::all_of(digits, [](char c) { return kBase64.contains(c); })) return false;
    return kBase64.find(digits.back()) % 16 == 0;
}

std::unexpected<Refused> refuse(unsigned status, std::string text,
                                std::vector<std::pair<std::string, std::string>> headers = {}) {
    return std::unexpected(Refused{status, std::move(headers), std::move(text)});
}

bool has_body(const UpgradeRequest& request) {
    if (!values_of(request, "Transfer-Encoding").empty()) return true;
    return std::ranges::any_of(values_of(request, "Content-Length"),
                               [](std::string_view value) { return value != "0"; });
}

std::optional<Refused> flaw_of_head(const UpgradeRequest& request) {
    if (request.method != "GET") return refuse(405, "a WebSocket handshake is a GET", {{"Allow", "GET"}}).error();
    if (request.http_minor < 1) return refuse(400, "a WebSocket handshake needs HTTP/1.1").error();
    if (const auto hosts = values_of(request, "Host"); hosts.size() != 1 || hosts[0].empty())
        return refuse(400, "the request needs exactly one Host").error();
    if (!has_token(request, "Upgrade", "websocket"))
        return refuse(426, "this address speaks WebSocket: send Upgrade: websocket",
                      {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}})
            .error();
    if (!has_token(request, "Connection", "upgrade")) return refuse(400, "Connection has to name upgrade").error();
    if (has_body(request)) return refuse(400, "a WebSocket handshake has no body").error();
    const auto versions = values_of(request, "Sec-WebSocket-Version");
    if (versions.size() != 1) return refuse(400, "the request needs exactly one Sec-WebSocket-Version").error();
    if (versions[0] != "13")
        return refuse(426, "only version 13 of WebSocket is spoken here",
                      {{"Sec-WebSocket-Version", "13"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}})
            .error();
    const auto keys = values_of(request, "Sec-WebSocket-Key");
    if (keys.size() != 1 || !is_key(keys[0]))
        return refuse(400, "Sec-WebSocket-Key has to be the base64 of 16 bytes, once").error();
    return std::nullopt;
}

std::optional<Refused> flaw_of_origin(const UpgradeRequest& request, const HandshakeRules& rules) {
    const auto origins = values_of(request, "Origin");
    if (!rules.origins || origins.empty()) return std::nullopt;
    if (origins.size() == 1 && std::ranges::count(*rules.origins, origins[0]) > 0) return std::nullopt;
    return refuse(403, "this Origin may not open a WebSocket here").error();
}

std::expected<std::string, Refused> choose_protocol(const UpgradeRequest& request, const HandshakeRules& rules) {
    const auto offered = list_of(request, "Sec-WebSocket-Protocol");
    for (std::size_t i = 0; i < offered.size(); ++i) {
        if (!is_token(offered[i])) return refuse(400, "Sec-WebSocket-Protocol holds something that is no token");
        if (std::ranges::count(offered, offered[i]) > 1)
            return refuse(400, "Sec-WebSocket-Protocol names a protocol twice");
    }
    for (const std::string_view offer : offered)
        if (std::ranges::count(rules.protocols, offer) > 0) return std::string(offer);
    if (rules.protocols.empty() || !rules.protocol_required) return std::string();
    return refuse(
        400, fmt::format("offer the subprotocol {} in Sec-WebSocket-Protocol", fmt::join(rules.protocols, " or ")));
}

}  // namespace

bool asks_for_websocket(const UpgradeRequest& request) noexcept {
    return has_token(request, "Upgrade", "websocket");
}

std::string accept_of(std::string_view key) {
    const std::string text = std::string(key) + std::string(kKeySuffix);
    std::array<unsigned char, 20> digest{};
    unsigned digest_size = 0;
    const int hashed = EVP_Digest(text.data(), text.size(), digest.data(), &digest_size, sha1(), nullptr);
    SLUICE_ASSERT(hashed == 1 && digest_size == digest.size(), "OpenSSL refuses SHA-1, which RFC 6455 needs");
    std::array<unsigned char, 29> encoded{};
    const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
    return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::expected<Accepted, Refused> evaluate(const UpgradeRequest& request, const HandshakeRules& rules) {
    if (auto flaw = flaw_of_head(request)) return std::unexpected(std::move(*flaw));
    if (auto flaw = flaw_of_origin(request, rules)) return std::unexpected(std::move(*flaw));
    auto protocol = choose_protocol(request, rules);
    if (!protocol) return std::unexpected(std::move(protocol.error()));
    return Accepted{accept_of(values_of(request, "Sec-WebSocket-Key")[0]), std::move(*protocol)};
}

std::string response_head(const Accepted& accepted) {
    std::string head =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    head += accepted.accept;
    if (!accepted.protocol.empty()) head += "\r\nSec-WebSocket-Protocol: " + accepted.protocol;
    return head + "\r\n\r\n";
}

}  // namespace sluice::realtime::ws
