#include "sluice/http/internal/target.hpp"

#include <algorithm>

namespace sluice::http::internal {
namespace {

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string decode_form(std::string_view text) {
    std::string spaced(text);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decode(spaced);
}

}  // namespace

std::string percent_decode(std::string_view text) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape =
            text[i] == '%' && i + 2 < text.size() && nibble(text[i + 1]) >= 0 && nibble(text[i + 2]) >= 0;
        if (!escape) {
            decoded.push_back(text[i]);
            continue;
        }
        decoded.push_back(static_cast<char>(nibble(text[i + 1]) * 16 + nibble(text[i + 2])));
        i += 2;
    }
    return decoded;
}

std::string_view authority_of(std::string_view target) {
    if (target.starts_with('/') || target == "*") return {};
    const std::string_view rest = target.substr(std::min(target.find("://"), target.size() - 3) + 3);
    return rest.substr(0, rest.find_first_of("/?"));
}

std::string origin_form(std::string_view method, std::string_view target) {
    const std::string_view authority = authority_of(target);
    if (authority.empty()) return std::string(target);
    const std::string_view path = target.substr(target.find("://") + 3 + authority.size());
    if (path.starts_with('/')) return std::string(path);
    if (path.empty() && method == "OPTIONS") return "*";  // RFC 9112 section 3.2.4
    return "/" + std::string(path);
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find('?'));
}

std::map<std::string, std::string> query_of(std::string_view target) {
    std::map<std::string, std::string> query;
    const auto mark = target.find('?');
    if (mark == std::string_view::npos) return query;
    std::string_view rest = target.substr(mark + 1);
    while (!rest.empty()) {
        const auto end = std::min(rest.find('&'), rest.size());
        const auto pair = rest.substr(0, end);
        const auto equals = std::min(pair.find('='), pair.size());
        const auto value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view{};
        if (!pair.empty()) query.insert_or_assign(decode_form(pair.substr(0, equals)), decode_form(value));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return query;
}

}  // namespace sluice::http::internal
