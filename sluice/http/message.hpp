// A request as handlers read it and a response as they answer it.
//
//     co_return http::Response::json(201, core::json::encode(order));
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/http/headers.hpp"

namespace sluice::http {

/// A complete request whose head passed check_head and whose body is within the limit.
struct Request {
    std::string method;
    std::string target;                        ///< in origin form, or '*'; `Host` holds the host of an absolute one
    std::string path;                          ///< without query, escapes as sent; '*' or begins with '/'
    std::map<std::string, std::string> query;  ///< decoded; the last of repeated names
    Headers headers;
    std::string body;
    std::string peer;  ///< "address:port"
    bool http_1_0 = false;
    bool keep_alive = true;
};

/// What a handler answers. Content-Length, Date and Connection are the server's.
struct Response {
    unsigned status = 200;
    Headers headers;
    std::string body;
    std::shared_ptr<const std::string> shared_body;  ///< instead of `body`, for bytes that many responses share

    [[nodiscard]] static Response json(unsigned status, std::string body);
    [[nodiscard]] static Response text(unsigned status, std::string body);
    [[nodiscard]] static Response empty(unsigned status);

    [[nodiscard]] std::string_view bytes() const noexcept { return shared_body ? *shared_body : body; }
};

/// "Not Found" for 404; "Unknown" for numbers without a registered phrase.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

}  // namespace sluice::http
