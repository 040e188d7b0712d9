// docs/errors.md as data, for the tests that produce each error and compare.
//
//     EXPECT_EQ(testing::error_page_complaint("outbox::Error", "gone", error.what()), "");
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sluice::testing {

/// The text of a page of docs/, looked for in the working directory and the folders above it. Throws
/// std::runtime_error if it is not there.
[[nodiscard]] std::string docs_page(const std::string& name);

/// Kind to example, from the rows `| kind | example | …` of the table below the heading `section`, of whatever level.
/// Empty without such a heading. Pure.
[[nodiscard]] std::map<std::string, std::string> error_examples(std::string_view page, std::string_view section);

/// Why docs/errors.md does not show `text` as the example of `kind` below `section`; empty when it does.
[[nodiscard]] std::string error_page_complaint(std::string_view section, const std::string& kind,
                                               std::string_view text);

/// Why no row of the table below the heading `section` of docs/errors.md begins with `text`; empty when one does.
[[nodiscard]] std::string error_row_complaint(std::string_view section, std::string_view text);

/// Whether `text` is what `example` shows; … stands for anything. Pure.
[[nodiscard]] bool shows(std::string_view example, std::string_view text);

}  // namespace sluice::testing
