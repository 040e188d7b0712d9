// One shape for every error: problem+json (RFC 9457) with the request's id.
//
//     co_return http::problem(request, 409, "$.id: 'o-1' was used with another content; choose a new id");
#pragma once

#include <exception>
#include <string_view>

#include "sluice/http/message.hpp"
#include "sluice/http/request_context.hpp"

namespace sluice::http {

/// `detail` says what, where and what to do.
[[nodiscard]] Response problem(const RequestContext& request, unsigned status, std::string_view detail);
/// For failures before there is a context, such as a refused head.
[[nodiscard]] Response problem(unsigned status, std::string_view detail, std::string_view request_id);
/// What an exception that left a handler means to the client: db::Error by its kind (conflict 409, pool_exhausted and
/// serialization 503 with Retry-After, timeout 504, …), anything else 500 without its text.
[[nodiscard]] Response problem_of(const RequestContext& request, const std::exception_ptr& error);

}  // namespace sluice::http
