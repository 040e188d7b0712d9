#include "sluice/http/internal/request_parser.hpp"

#include <limits>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <fmt/format.h>

#include "sluice/http/internal/target.hpp"

namespace sluice::http::internal {

namespace beast = boost::beast;

struct RequestParser::State {
    beast::http::request_parser<beast::http::string_body> parser;
    std::size_t body_limit = 0;
};

RequestParser::RequestParser(std::size_t body_limit) : state_(std::make_unique<State>()) {
    state_->body_limit = body_limit;
    state_->parser.eager(true);
    state_->parser.body_limit(body_limit);
    state_->parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // check_head has the limits
}

RequestParser::~RequestParser() = default;

RequestParser::Progress RequestParser::feed(std::string_view bytes) {
    Progress progress;
    boost::system::error_code error;
    progress.consumed = state_->parser.put(boost::asio::buffer(bytes), error);
    if (!error || error == beast::http::error::need_more) return progress;
    const bool too_large = error == beast::http::error::body_limit;
    progress.refused = too_large ? 413 : 400;
    progress.reason = too_large ? fmt::format("body: larger than {} bytes", state_->body_limit)
                                : fmt::format("body: its framing is broken ({})", error.message());
    return progress;
}

bool RequestParser::done() const {
    return state_->parser.is_done();
}

std::optional<std::uint64_t> RequestParser::declared_length() const {
    if (!state_->parser.is_header_done()) return std::nullopt;
    const auto length = state_->parser.content_length();
    if (!length) return std::nullopt;
    return *length;
}

bool RequestParser::expects_continue() const {
    return state_->parser.is_header_done() &&
           state_->parser.get().find(beast::http::field::expect) != state_->parser.get().end();
}

Request RequestParser::take(std::string peer) {
    auto message = state_->parser.release();
    Request request;
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    request.path = std::string(path_of(request.target));
    request.query = query_of(request.target);
    for (const auto& field : message)
        request.headers.add(std::string(field.name_string()), std::string(field.value()));
    request.http_1_0 = message.version() == 10;
    request.keep_alive = message.keep_alive();
    request.body = std::move(message.body());
    request.peer = std::move(peer);
    return request;
}

}  // namespace sluice::http::internal
