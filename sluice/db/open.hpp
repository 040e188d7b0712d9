// A data source from its connection string, whatever database it names.
//
//     auto shop = db::open("shop_a", "postgres://app:secret@db.example/shop", log, metrics);
//     auto local = db::open("local", "sqlite:data/local.sqlite3", log, metrics);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"

namespace sluice::db {

/// What tools and tests ask of any driver; a program that serves sets its driver's own Settings.
struct OpenOptions {
    std::uint32_t connections = 16;  ///< of a server's pool
    /// False: PostgreSQL is asked to prepare nothing, which is what a pooler in transaction mode needs.
    bool prepare = true;
};

/// With the driver's default settings but for `options`. Throws a `config` error for an unknown scheme, for a string
/// that cannot be read, and for a driver that this build does not have, naming the option that adds it; never with a
/// part of a credential.
[[nodiscard]] std::shared_ptr<DataSource> open(std::string name, std::string_view dsn, core::Logger log,
                                               core::Metrics& metrics, OpenOptions options = {});

}  // namespace sluice::db
