#include "sluice/http/internal/serialize.hpp"

#include <array>
#include <ctime>

#include <fmt/format.h>

namespace sluice::http::internal {
namespace {

/// RFC 9110 section 5.6.7, IMF-fixdate.
std::string date_now() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays.at(static_cast<std::size_t>(utc.tm_wday)),
                       utc.tm_mday, kMonths.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                       utc.tm_min, utc.tm_sec);
}

bool has_no_body(unsigned status) {
    return status == 204 || status == 304 || status < 200;
}

void append_fields(std::string& out, const Headers& headers) {
    for (const auto& [name, value] : headers)
        fmt::format_to(std::back_inserter(out), "{}: {}\r\n", name, value);
}

}  // namespace

std::string serialize_head(const Response& response, bool keep_alive) {
    std::string out =
        fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason_phrase(response.status), date_now());
    append_fields(out, response.headers);
    if (!has_no_body(response.status))
        fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.bytes().size());
    out += keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return out;
}

std::string_view body_of(const Response& response) noexcept {
    return has_no_body(response.status) ? std::string_view() : response.bytes();
}

std::string upgrade_head(const Headers& headers) {
    std::string out = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n";
    append_fields(out, headers);
    out += "\r\n";
    return out;
}

}  // namespace sluice::http::internal
