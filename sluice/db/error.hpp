// What can go wrong with a database, as kinds that a caller branches on. See docs/errors.md for each kind's remedy.
//
//     try { co_await unit.execute("insert into customer values ($1)", id); }
//     catch (const db::Error& e) { if (e.kind() == db::ErrorKind::conflict) … else throw; }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/core/error.hpp"

namespace sluice::db {

/// May grow: keep a default branch.
enum class ErrorKind : std::uint8_t {
    config,           ///< unknown scheme, missing driver, unknown data source: a person must act
    connection,       ///< refused, reset, server shut down, file cannot be opened
    pool_exhausted,   ///< no connection within the acquire timeout
    timeout,          ///< statement or deadline exceeded
    serialization,    ///< deadlock, busy, a group that another unit took down: run the whole unit again
    conflict,         ///< unique violation: branch, never retry blindly
    constraint,       ///< foreign key, check, not null
    query,            ///< syntax, type, missing table or column, wrong use of a row or a unit
    read_only,        ///< write on a replica or in a read-only unit
    permission,       ///< denied, authentication failed
    cancelled,        ///< the caller's scope was cancelled
    outcome_unknown,  ///< connection lost while COMMIT was in flight
    other,            ///< unclassified
};

enum class Retryability : std::uint8_t { never, same_endpoint, other_endpoint, if_idempotent };

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;
[[nodiscard]] Retryability retryability(ErrorKind kind) noexcept;

/// Everything about a failure except parameter values and credentials, which it never carries.
struct ErrorDetails {
    std::string source;       ///< data source name; empty when none is involved
    std::string code;         ///< SQLSTATE, errno or extended result code, as text; may be empty
    std::string message;      ///< the driver's or our words: what, where, what to do
    std::string fingerprint;  ///< the statement's text without values; may be empty
};

/// `what()` starts with the data source's name and the kind.
class Error : public core::Error {
public:
    Error(ErrorKind kind, ErrorDetails details, std::exception_ptr cause = nullptr);

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
    [[nodiscard]] const ErrorDetails& details() const noexcept { return details_; }
    [[nodiscard]] Retryability retryability() const noexcept { return db::retryability(kind_); }

private:
    ErrorKind kind_;
    ErrorDetails details_;
};

}  // namespace sluice::db
