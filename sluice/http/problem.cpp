#include "sluice/http/problem.hpp"

#include <fmt/format.h>

#include "sluice/core/json/writer.hpp"
#include "sluice/db/error.hpp"

namespace sluice::http {
namespace {

struct Answer {
    unsigned status;
    std::string_view detail;
    bool retry_after;
};

Answer answer_to(db::ErrorKind kind) {
    using enum db::ErrorKind;
    switch (kind) {
        case conflict:
            return {409, "a row with this key exists already; read it or choose another key", false};
        case constraint:
            return {422, "the request refers to something that does not exist or breaks a rule of the database", false};
        case pool_exhausted:
            return {503, "the database is busy; send the request again after Retry-After", true};
        case serialization:
            return {503, "another request was faster; nothing was stored, send the request again", true};
        case connection:
            return {503, "the database cannot be reached; nothing was stored, send the request again later", true};
        case read_only:
            return {503, "the database accepts no writes at the moment; send the request again later", true};
        case timeout:
            return {504, "the database did not answer in time; nothing was stored", false};
        case outcome_unknown:
            return {500,
                    "the connection was lost during the commit: the change may or may not be stored; look before you "
                    "repeat it",
                    false};
        case config:
        case query:
        case permission:
        case cancelled:
        case other:
            break;
    }
    return {500, "the request failed inside the server; its log has the reason under this request id", false};
}

}  // namespace

Response problem(unsigned status, std::string_view detail, std::string_view request_id) {
    Response response;
    response.status = status;
    response.headers.add("Content-Type", "application/problem+json");
    // The detail may quote what the client sent, which need not be UTF-8.
    core::json::Writer writer(response.body, core::json::BadText::replace);
    writer.begin_object();
    writer.key("type");
    writer.value("about:blank");
    writer.key("title");
    writer.value(reason_phrase(status));
    writer.key("status");
    writer.value(status);
    writer.key("detail");
    writer.value(detail);
    writer.key("request_id");
    writer.value(request_id);
    writer.end_object();
    return response;
}

Response problem(const RequestContext& request, unsigned status, std::string_view detail) {
    return problem(status, detail, request.id);
}

Response problem_of(const RequestContext& request, const std::exception_ptr& error) {
    Answer answer = answer_to(db::ErrorKind::other);
    try {
        std::rethrow_exception(error);
    } catch (const db::Error& e) {
        answer = answer_to(e.kind());
    } catch (const std::exception&) {
        answer = answer_to(db::ErrorKind::other);
    }
    Response response = problem(request, answer.status, answer.detail);
    if (answer.retry_after) response.headers.add("Retry-After", "1");
    return response;
}

}  // namespace sluice::http
