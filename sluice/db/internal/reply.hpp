// How a round trip with a server ended, as a value: an exchange does not throw.
#pragma once

#include <optional>
#include <vector>

#include "sluice/db/error.hpp"
#include "sluice/db/row.hpp"

namespace sluice::db::internal {

struct Reply {
    std::vector<Result> results;  ///< of the statements before the first error, controls apart
    std::optional<Error> error;   ///< the first statement that failed; those behind it did not run
    std::optional<Error> loss;  ///< the connection went away; what it had not answered by then may or may not have run
    bool interrupted = false;   ///< the coroutine was cancelled; the server was told, and the results were read anyway

    [[nodiscard]] bool failed() const noexcept { return error || loss; }
    /// Throws the cancellation, the error or the loss, if there is one.
    void rethrow() const;
};

}  // namespace sluice::db::internal
