#include "sluice/http/internal/request_parser.hpp"

#include <algorithm>
#include <limits>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/http/internal/target.hpp"

namespace sluice::http::internal {
namespace {

namespace beast = boost::beast;
using HeadParser = beast::http::request_parser<beast::http::string_body>;

std::string text(beast::string_view view) {
    return std::string(view.data(), view.size());
}

/// Whether any Connection field lists `close`; Beast looks at the first field only.
bool says_close(const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (!same_name(name, "Connection")) continue;
        for (std::string_view rest = value; !rest.empty();) {
            std::string_view item = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(item.size() + 1, rest.size()));
            item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
            if (same_name(item.substr(0, item.find_last_not_of(" \t") + 1), "close")) return true;
        }
    }
    return false;
}

void fill(Request& request, const HeadParser& parser) {
    const auto& message = parser.get();
    request.method = text(message.method_string());
    const std::string sent = text(message.target());
    request.target = origin_form(request.method, sent);
    request.path = std::string(path_of(request.target));
    request.query = query_of(request.target);
    for (const auto& field : message)
        request.headers.add(text(field.name_string()), text(field.value()));
    if (request.target.size() != sent.size() && !request.headers.find("Host"))
        request.headers.add("Host", std::string(authority_of(sent)));
    request.http_1_0 = message.version() == 10;
    request.keep_alive = !request.http_1_0 && !says_close(request.headers);
}

}  // namespace

BodyProgress RequestParser::head(std::string_view bytes) {
    if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // check_head lets one empty line pass
    HeadParser parser;
    parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // check_head has the limits
    parser.body_limit(boost::none);
    boost::system::error_code error;
    const std::size_t consumed = parser.put(boost::asio::buffer(bytes), error);
    if (error && error != beast::http::error::need_more)
        return {consumed, 400, fmt::format("the head cannot be parsed ({})", error.message())};
    fill(request_, parser);
    const bool encoded = request_.headers.find("Transfer-Encoding").has_value();
    const bool counted = request_.headers.find("Content-Length").has_value();
    // Two readers must agree where the body ends, the parser and the check before it.
    if (!parser.is_header_done() || encoded != parser.chunked() || counted != parser.content_length().has_value())
        return {consumed, 400, "the head's framing is ambiguous"};
    if (encoded) chunks_.emplace(body_limit_);
    if (counted) left_ = *parser.content_length();
    if (left_ > body_limit_ && !core::mutant("http_body_unbounded"))
        return {consumed, 413, fmt::format("body: {} bytes declared, at most {} are taken", left_, body_limit_)};
    return {consumed, 0, {}};
}

BodyProgress RequestParser::body(std::string_view bytes) {
    if (chunks_) return chunks_->feed(bytes, request_.body);
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    request_.body.append(bytes.substr(0, take));
    left_ -= take;
    return {take, 0, {}};
}

bool RequestParser::expects_continue() const noexcept {
    return !request_.http_1_0 && request_.headers.find("Expect").has_value();
}

}  // namespace sluice::http::internal
