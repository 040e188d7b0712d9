// Where a tenant's rows are: a file of the data folder, or a database of a server.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/app/app.hpp"

namespace sluice::app::internal {

/// Throws std::runtime_error for a `database_url` that would put several tenants into one database.
void check_databases(const Settings& settings, std::size_t tenants);

/// Connects to nothing yet, a file apart, which is opened or made. Throws db::Error `config`, never with a credential.
[[nodiscard]] std::shared_ptr<db::DataSource> open_database(const Settings& settings, const tenant::TenantId& id,
                                                            core::Logger log, core::Metrics& metrics);

/// "file data/shop_a.sqlite3" or "database db.example:5432/shop_a", for messages: without user and password.
[[nodiscard]] std::string place_of(const Settings& settings, const tenant::TenantId& id);

/// What a person may do about a tenant that does not start, in parentheses; empty when the failure says it all.
[[nodiscard]] std::string_view advice_for(const std::exception_ptr& failure);

}  // namespace sluice::app::internal
