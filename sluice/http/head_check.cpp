#include "sluice/http/head_check.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/http/headers.hpp"

namespace sluice::http {
namespace {

struct Refusal {
    unsigned status;
    std::string reason;
};
using Check = std::optional<Refusal>;

Check refuse(std::string reason, unsigned status = 400) {
    return Refusal{status, std::move(reason)};
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// What the head said so far about framing and the host.
struct Framing {
    std::string_view authority;  // of a target in absolute form
    std::string_view host;
    std::size_t hosts = 0;
    std::size_t lengths = 0;
    std::size_t encodings = 0;
    std::size_t fields = 0;
};

constexpr std::array<std::string_view, 7> kMethods{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

Check check_method(std::string_view method) {
    if (method.empty() || !std::ranges::all_of(method, is_token_char))
        return refuse("request line: the method must be a token followed by one space");
    if (std::ranges::find(kMethods, method) == kMethods.end())
        return refuse(
            "request line: this method is not implemented; use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS", 501);
    return std::nullopt;
}

Check check_escapes(std::string_view target) {
    std::string decoded;
    for (std::size_t i = 0; i < target.size(); ++i) {
        if (target[i] != '%') {
            decoded += target[i];
            continue;
        }
        const int high = i + 2 < target.size() ? hex_value(target[i + 1]) : -1;
        const int low = i + 2 < target.size() ? hex_value(target[i + 2]) : -1;
        if (high < 0 || low < 0)
            return refuse(fmt::format("request target: '%' at byte {} is not followed by two hex digits", i));
        const int byte = high * 16 + low;
        if (byte < 0x20 || byte == 0x7f)
            return refuse(fmt::format("request target: an escaped control character at byte {}", i));
        decoded += static_cast<char>(byte);
        i += 2;
    }
    if (!core::is_utf8(decoded)) return refuse("request target: its escapes are not UTF-8");
    return std::nullopt;
}

Check check_path(std::string_view target) {
    const auto forbidden = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte >= 0x7f || std::string_view("\"<>\\^`{|}#").contains(c);
    };
    const auto bad = std::ranges::find_if(target, forbidden);
    if (bad != target.end())
        return refuse(fmt::format("request target: byte {} must be percent-encoded", bad - target.begin()));
    return check_escapes(target);
}

Check check_version(std::string_view version) {
    if (version == "HTTP/1.1" || version == "HTTP/1.0") return std::nullopt;
    const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                             version[6] == '.' && is_digit(version[7]);
    if (well_formed) return refuse("request line: only HTTP/1.1 and HTTP/1.0 are spoken here", 505);
    return refuse("request line: it must end with 'HTTP/1.1'");
}

Check check_host(std::string_view value);

/// RFC 9112 section 3.2.2: a server accepts the absolute form, too.
Check check_absolute(std::string_view target, Framing& framing) {
    const auto colon = target.find("://");
    if (colon == std::string_view::npos || !same_name(target.substr(0, colon), "http")) {
        if (colon != std::string_view::npos && same_name(target.substr(0, colon), "https"))
            return refuse("request target: an https resource is not served on a connection without TLS", 421);
        return refuse("request target: it must begin with '/' (origin form) or http:// (absolute form)");
    }
    const auto rest = target.substr(colon + 3);
    framing.authority = rest.substr(0, rest.find_first_of("/?"));
    if (check_host(framing.authority))
        return refuse("request target: expected one host name or address behind http://, with an optional port");
    return check_path(rest.substr(framing.authority.size()));
}

Check check_target(std::string_view method, std::string_view target, Framing& framing) {
    if (target == "*") {
        if (method == "OPTIONS") return std::nullopt;
        return refuse("request target: '*' is for OPTIONS only");
    }
    return target.starts_with('/') ? check_path(target) : check_absolute(target, framing);
}

Check check_request_line(std::string_view line, Framing& framing) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return refuse("request line: expected 'METHOD /path HTTP/1.1' with single spaces");
    const auto method = line.substr(0, first);
    const auto target = line.substr(first + 1, last - first - 1);
    if (auto bad = check_method(method)) return bad;
    if (target.empty() || target.contains(' '))
        return refuse("request line: expected 'METHOD /path HTTP/1.1' with single spaces");
    if (auto bad = check_target(method, target, framing)) return bad;
    return check_version(line.substr(last + 1));
}

std::string_view trim(std::string_view value) {
    const auto begin = value.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return value.substr(begin, value.find_last_not_of(" \t") - begin + 1);
}

bool is_ipv6(std::string_view text) {
    in6_addr address{};
    return text.size() < INET6_ADDRSTRLEN && ::inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && text.size() <= 5 && port >= 1 &&
           port <= 65'535;
}

Check check_host(std::string_view value) {
    const Check bad = refuse("Host: expected one host name or address, with an optional port");
    std::string_view port;
    if (value.starts_with('[')) {
        const auto close = value.find(']');
        if (close == std::string_view::npos || !is_ipv6(value.substr(1, close - 1))) return bad;
        port = value.substr(close + 1);
    } else {
        const auto colon = value.find(':');
        const auto name = value.substr(0, colon);
        const auto fits = [](char c) {
            return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
        };
        if (name.empty() || name.size() > 255 || !std::ranges::all_of(name, fits)) return bad;
        port = colon == std::string_view::npos ? std::string_view{} : value.substr(colon);
    }
    if (port.empty()) return std::nullopt;
    if (port.front() != ':' || !is_port(port.substr(1))) return bad;
    return std::nullopt;
}

Check check_length(std::string_view value) {
    constexpr std::string_view kLargest = "9223372036854775807";
    const bool digits = !value.empty() && std::ranges::all_of(value, is_digit);
    if (!digits || (value.size() > 1 && value.front() == '0'))
        return refuse("Content-Length: expected decimal digits and nothing else");
    if (value.size() > kLargest.size() || (value.size() == kLargest.size() && value > kLargest))
        return refuse("Content-Length: too large to be true");
    return std::nullopt;
}

Check check_value(std::string_view name, std::string_view value) {
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\t') || byte == 0x7f)
            return refuse(fmt::format("header {}: a control character in its value", name));
    }
    return std::nullopt;
}

/// Proxies that map '-' to '_' would read these as the real fields.
bool is_underscore_twin(std::string_view name) {
    std::string dashed(name);
    std::ranges::replace(dashed, '_', '-');
    return dashed != name && (same_name(dashed, "Content-Length") || same_name(dashed, "Transfer-Encoding"));
}

Check check_framing_field(std::string_view name, std::string_view value, bool http_1_0, Framing& framing) {
    if (same_name(name, "Host")) {
        if (++framing.hosts > 1 && !core::mutant("http_second_host")) return refuse("Host: given twice");
        framing.host = value;
        return check_host(value);
    }
    if (same_name(name, "Content-Length")) {
        if (++framing.lengths > 1) return refuse("Content-Length: given twice");
        return check_length(value);
    }
    if (same_name(name, "Transfer-Encoding")) {
        if (++framing.encodings > 1) return refuse("Transfer-Encoding: given twice");
        if (http_1_0) return refuse("Transfer-Encoding: not part of HTTP/1.0");
        if (!same_name(value, "chunked")) return refuse("Transfer-Encoding: only 'chunked' is accepted");
    }
    if (same_name(name, "Expect") && !same_name(value, "100-continue"))
        return refuse("Expect: only '100-continue' is known", 417);
    return std::nullopt;
}

Check check_field(std::string_view line, bool http_1_0, Framing& framing) {
    if (line.front() == ' ' || line.front() == '\t')
        return refuse("a header line begins with white space (obsolete folding)");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return refuse("a header line has no colon");
    const auto name = line.substr(0, colon);
    if (name.empty() || !std::ranges::all_of(name, is_token_char))
        return refuse("a header name must be a token directly followed by its colon");
    if (is_underscore_twin(name)) return refuse("a header name imitates a framing header with '_'");
    const auto value = trim(line.substr(colon + 1));
    if (auto bad = check_value(name, value)) return bad;
    return check_framing_field(name, value, http_1_0, framing);
}

Check check_whole(bool http_1_0, const Framing& framing) {
    if (framing.hosts == 0 && !http_1_0) return refuse("Host: missing; HTTP/1.1 requires it");
    if (framing.hosts > 0 && !framing.authority.empty() && !same_name(framing.host, framing.authority))
        return refuse("Host: it differs from the host in the request target");
    if (framing.lengths > 0 && framing.encodings > 0 && !core::mutant("http_length_with_encoding"))
        return refuse("Content-Length and Transfer-Encoding together");
    return std::nullopt;
}

HeadVerdict refused(Refusal refusal) {
    return {HeadState::refused, 0, refusal.status, std::move(refusal.reason)};
}

/// One line ending in CRLF from `at`, or nothing if it is not complete; a CR or LF elsewhere is an error.
struct Line {
    std::string_view text;
    bool complete = false;
    bool malformed = false;
};

Line next_line(std::string_view bytes, std::size_t at) {
    const auto end = bytes.find_first_of(std::string_view("\r\n\0", 3), at);
    if (end == std::string_view::npos) return {bytes.substr(at), false, false};
    if (bytes[end] != '\r') return {bytes.substr(at, end - at), false, true};
    if (end + 1 == bytes.size()) return {bytes.substr(at, end - at), false, false};
    return {bytes.substr(at, end - at), true, bytes[end + 1] != '\n'};
}

Check check_size(std::string_view line, bool first, std::size_t total, const HeadLimits& limits) {
    if (first && line.size() > limits.request_line)
        return refuse(fmt::format("request line: longer than {} bytes", limits.request_line), 414);
    if (total > limits.total) return refuse(fmt::format("headers: more than {} bytes in all", limits.total), 431);
    return std::nullopt;
}

}  // namespace

bool is_token_char(char c) noexcept {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c)) return true;
    return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

bool may_decide(std::string_view bytes, std::size_t fresh, const HeadLimits& limits) {
    const std::size_t before = bytes.size() - fresh;
    const std::string_view seen = bytes.substr(before > 0 ? before - 1 : 0);  // a CR may have been the last byte
    if (seen.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) return true;
    const auto crossed = [&](std::size_t limit) { return before <= limit && bytes.size() > limit; };
    const std::size_t skipped = bytes.starts_with("\r\n") ? 2 : 0;
    return crossed(limits.request_line + skipped) || bytes.size() > limits.total;
}

std::string flaw_of_trailer(std::string_view line) {
    constexpr std::array<std::string_view, 14> kForbidden{
        "Content-Length", "Transfer-Encoding", "Host", "Connection", "Expect",  "Authorization",       "Cookie",
        "Content-Type",   "Content-Encoding",  "TE",   "Trailer",    "Upgrade", "Proxy-Authorization", "Content-Range"};
    Framing framing;
    if (const auto bad = check_field(line, false, framing)) return bad->reason;
    const auto name = line.substr(0, line.find(':'));
    if (std::ranges::any_of(kForbidden, [name](std::string_view one) { return same_name(name, one); }))
        return "a trailer that belongs into the head";
    return {};
}

HeadVerdict check_head(std::string_view bytes, const HeadLimits& limits) {
    Framing framing;
    bool http_1_0 = false;
    const std::size_t begin = bytes.starts_with("\r\n") ? 2 : 0;  // some clients end a body with an empty line
    std::size_t at = begin;
    while (true) {
        const bool first = at == begin;
        const Line line = next_line(bytes, at);
        if (auto bad = check_size(line.text, first, at + line.text.size(), limits)) return refused(std::move(*bad));
        if (line.malformed) return refused({400, "the head holds a CR, LF or NUL that does not end a line with CR LF"});
        if (!line.complete) return {};
        at += line.text.size() + 2;
        if (first) {
            if (auto bad = check_request_line(line.text, framing)) return refused(std::move(*bad));
            http_1_0 = line.text.ends_with("HTTP/1.0");
            continue;
        }
        if (line.text.empty()) break;
        if (++framing.fields > limits.fields)
            return refused({431, fmt::format("headers: more than {}", limits.fields)});
        if (auto bad = check_field(line.text, http_1_0, framing)) return refused(std::move(*bad));
    }
    if (auto bad = check_whole(http_1_0, framing)) return refused(std::move(*bad));
    return {HeadState::complete, at, 0, {}};
}

}  // namespace sluice::http
