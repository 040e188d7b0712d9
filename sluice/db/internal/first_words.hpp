// The words that a statement begins with, for what a driver decides by them.
//
//     FirstWords words("/* report */ select 1");   // words.next() == "SELECT"
#pragma once

#include <string>
#include <string_view>

#include "sluice/db/internal/sql_scanner.hpp"

namespace sluice::db::internal {

/// In upper case, comments skipped.
class FirstWords {
public:
    explicit FirstWords(std::string_view sql) noexcept : scanner_(sql) {}
    /// Empty at the end, and at what is no word.
    [[nodiscard]] std::string next();

private:
    SqlScanner scanner_;
};

}  // namespace sluice::db::internal
