// The beginning of a statement as words. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::migrate::internal {

/// A bare word, a quoted name, or one character of anything else.
struct Word {
    std::string_view text;  ///< as it stands in the statement
    std::string upper;      ///< of a bare word in capitals, else the text
};

/// Whether `sql` begins with a comment that MariaDB runs: `/*! … */` or `/*M! … */`.
[[nodiscard]] bool is_executable_comment(std::string_view sql, db::Dialect dialect);

/// Whether a comment to the end of the line begins here: `--`, on MariaDB only before a blank, and its `#`.
[[nodiscard]] bool is_line_comment(std::string_view sql, db::Dialect dialect);

/// The first `limit` words of `sql`; comments and space are passed over.
[[nodiscard]] std::vector<Word> first_words(std::string_view sql, db::Dialect dialect, std::size_t limit);

}  // namespace sluice::migrate::internal
