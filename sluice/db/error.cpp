#include "sluice/db/error.hpp"

#include <fmt/format.h>

namespace sluice::db {
namespace {

std::string describe_failure(ErrorKind kind, const ErrorDetails& details) {
    std::string text = details.source.empty()
                           ? fmt::format("{}: {}", to_string(kind), details.message)
                           : fmt::format("{}: {}: {}", details.source, to_string(kind), details.message);
    if (!details.code.empty()) text += fmt::format(" [{}]", details.code);
    if (!details.fingerprint.empty()) text += fmt::format(" in `{}`", details.fingerprint);
    return text;
}

}  // namespace

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::config:
            return "config";
        case ErrorKind::connection:
            return "connection";
        case ErrorKind::pool_exhausted:
            return "pool_exhausted";
        case ErrorKind::timeout:
            return "timeout";
        case ErrorKind::serialization:
            return "serialization";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::constraint:
            return "constraint";
        case ErrorKind::query:
            return "query";
        case ErrorKind::read_only:
            return "read_only";
        case ErrorKind::permission:
            return "permission";
        case ErrorKind::cancelled:
            return "cancelled";
        case ErrorKind::outcome_unknown:
            return "outcome_unknown";
        case ErrorKind::other:
            break;
    }
    return "other";
}

Retryability retryability(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::connection:
        case ErrorKind::read_only:
            return Retryability::other_endpoint;
        case ErrorKind::pool_exhausted:
        case ErrorKind::serialization:
            return Retryability::same_endpoint;
        case ErrorKind::timeout:
        case ErrorKind::outcome_unknown:
            return Retryability::if_idempotent;
        default:
            return Retryability::never;
    }
}

Error::Error(ErrorKind kind, ErrorDetails details, std::exception_ptr cause)
    : core::Error(describe_failure(kind, details), std::move(cause)), kind_(kind), details_(std::move(details)) {}

}  // namespace sluice::db
