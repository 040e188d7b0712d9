// A data source from its connection string, whatever database it names.
//
//     auto shop = db::open("shop_a", "postgres://app:secret@db.example/shop", log, metrics);
//     auto local = db::open("local", "sqlite:data/local.sqlite3", log, metrics);
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"

namespace sluice::db {

/// With the driver's default settings. Throws a `config` error for an unknown scheme, for a string that cannot be read,
/// and for a driver that this build does not have, naming the option that adds it; never with a part of a credential.
[[nodiscard]] std::shared_ptr<DataSource> open(std::string name, std::string_view dsn, core::Logger log,
                                               core::Metrics& metrics);

}  // namespace sluice::db
