#include "sluice/http/origin.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <fmt/format.h>

#include "sluice/http/headers.hpp"

namespace sluice::http {
namespace {

struct Origin {
    std::string scheme;
    std::string host;
    unsigned port = 0;
};

std::string lowered(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    return out;
}

bool is_host(std::string_view host) {
    const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
    const std::string_view bare = bracketed ? host.substr(1, host.size() - 2) : host;
    const auto fits = [bracketed](char c) {
        const bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
        return word || c == '.' || (bracketed ? c == ':' : c == '-' || c == '_');
    };
    return !bare.empty() && std::ranges::all_of(bare, fits);
}

unsigned default_port(std::string_view scheme) {
    return scheme == "https" ? 443 : 80;
}

// Splits `host[:port]`; the port is 0 when there is none.
std::optional<std::pair<std::string, unsigned>> split_authority(std::string_view authority) {
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    std::string host = lowered(authority.substr(0, colon));
    if (!is_host(host)) return std::nullopt;
    if (colon == std::string_view::npos) return std::pair(std::move(host), 0U);
    const std::string_view digits = authority.substr(colon + 1);
    unsigned port = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || port == 0 || port > 65'535)
        return std::nullopt;
    return std::pair(std::move(host), port);
}

std::optional<Origin> parse_origin(std::string_view text) {
    const auto mark = text.find("://");
    if (mark == std::string_view::npos) return std::nullopt;
    const std::string scheme = lowered(text.substr(0, mark));
    if (scheme != "http" && scheme != "https") return std::nullopt;
    auto authority = split_authority(text.substr(mark + 3));
    if (!authority) return std::nullopt;
    const unsigned port = authority->second == 0 ? default_port(scheme) : authority->second;
    return Origin{scheme, std::move(authority->first), port};
}

std::string serialized(const Origin& origin) {
    if (origin.port == default_port(origin.scheme)) return origin.scheme + "://" + origin.host;
    return fmt::format("{}://{}:{}", origin.scheme, origin.host, origin.port);
}

}  // namespace

std::optional<std::string> normal_origin(std::string_view text) {
    const std::optional<Origin> origin = parse_origin(text);
    if (!origin) return std::nullopt;
    return serialized(*origin);
}

OriginPolicy::OriginPolicy(const std::vector<std::string>& allowed) {
    for (const std::string& text : allowed) {
        auto origin = normal_origin(text);
        if (!origin)
            throw std::invalid_argument(
                fmt::format("'{}' is no origin; write scheme, host and port, like https://shop.example", text));
        allowed_.push_back(std::move(*origin));
    }
}

OriginVerdict OriginPolicy::judge(std::optional<std::string_view> origin, std::string_view host) const {
    if (!origin) return OriginVerdict::absent;
    const std::optional<Origin> page = parse_origin(*origin);
    if (!page) return OriginVerdict::refused;
    const auto own = split_authority(host);
    if (own && own->first == page->host && (own->second == 0 ? default_port(page->scheme) : own->second) == page->port)
        return OriginVerdict::same;
    const bool listed = std::ranges::find(allowed_, serialized(*page)) != allowed_.end();
    return listed ? OriginVerdict::allowed : OriginVerdict::refused;
}

bool is_safe_method(std::string_view method) noexcept {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace sluice::http
