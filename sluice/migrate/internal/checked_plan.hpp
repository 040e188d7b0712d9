// The plan, or the error that stops a start.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/db/error.hpp"
#include "sluice/migrate/internal/plan.hpp"

namespace sluice::migrate::internal {

[[nodiscard]] db::Error config_error(std::string_view source, std::string text);

/// `make_plan` for the database of `source`; throws `config` with its line.
[[nodiscard]] std::vector<Step> plan_or_throw(const std::vector<Migration>& migrations,
                                              const std::vector<Applied>& ledger, const db::DataSource& source);

}  // namespace sluice::migrate::internal
