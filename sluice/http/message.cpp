#include "sluice/http/message.hpp"

#include <array>
#include <utility>

namespace sluice::http {
namespace {

Response with_type(unsigned status, std::string body, std::string type) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", std::move(type));
    response.body = std::move(body);
    return response;
}

constexpr std::array kPhrases = std::to_array<std::pair<unsigned, std::string_view>>({
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
});

}  // namespace

Response Response::json(unsigned status, std::string body) {
    return with_type(status, std::move(body), "application/json");
}

Response Response::text(unsigned status, std::string body) {
    return with_type(status, std::move(body), "text/plain; charset=utf-8");
}

Response Response::empty(unsigned status) {
    Response response;
    response.status = status;
    return response;
}

std::string_view reason_phrase(unsigned status) noexcept {
    for (const auto& [number, phrase] : kPhrases) {
        if (number == status) return phrase;
    }
    return "Unknown";
}

}  // namespace sluice::http
