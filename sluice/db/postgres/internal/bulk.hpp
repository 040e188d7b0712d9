// COPY as a coroutine.
#pragma once

#include "sluice/db/postgres/internal/exchange.hpp"

namespace sluice::db::postgres {

/// Writes the rows by COPY; the answer's one result has their number as `affected`. All of them or none. Throws a
/// `query` error for what cannot be sent, else does not throw: cancellation is told as by Exchange::run.
Task<Reply> run_copy(Link& link, const BulkInsert& rows);

}  // namespace sluice::db::postgres
