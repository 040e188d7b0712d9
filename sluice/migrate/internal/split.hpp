// A file of SQL as its statements. Pure.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::migrate::internal {

struct SplitError {
    std::size_t line = 1;  ///< where the construct begins that does not end
    std::string reason;
};

/// The statements of `sql` without their final semicolons and without what stands between them. Semicolons in strings,
/// quoted names, comments, dollar quotes (PostgreSQL) and the body of CREATE TRIGGER … BEGIN … END do not end one.
/// Line ends are made LF, so that a checkout on another system has the same checksum.
[[nodiscard]] std::expected<std::vector<std::string>, SplitError> split_statements(std::string_view sql,
                                                                                   db::Dialect dialect);

}  // namespace sluice::migrate::internal
