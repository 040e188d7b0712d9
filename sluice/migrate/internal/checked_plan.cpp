#include "sluice/migrate/internal/checked_plan.hpp"

#include <utility>

namespace sluice::migrate::internal {

db::Error config_error(std::string_view source, std::string text) {
    db::ErrorDetails details;
    details.source = source;
    details.message = std::move(text);
    return {db::ErrorKind::config, std::move(details)};
}

std::vector<Step> plan_or_throw(const std::vector<Migration>& migrations, const std::vector<Applied>& ledger,
                                const db::DataSource& source) {
    auto plan = make_plan(migrations, ledger, source.dialect());
    if (!plan) throw config_error(source.name(), std::move(plan.error()));
    return std::move(*plan);
}

}  // namespace sluice::migrate::internal
