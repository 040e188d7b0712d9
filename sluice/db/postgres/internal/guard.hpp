// Which statements a unit may not run: those that would end its transaction behind its back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::db::postgres {

/// Why `sql` is refused inside a unit; empty if it is not. `ROLLBACK TO` and savepoints are allowed.
[[nodiscard]] std::optional<std::string> unit_refusal(std::string_view sql);

}  // namespace sluice::db::postgres
