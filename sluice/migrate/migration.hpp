// One step of a schema, compiled in or read from a folder.
//
//     const migrate::Migration first{"shop", 1, "articles", {{db::Dialect::sqlite, {"create table article(…)"}}}};
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sluice/db/statement.hpp"

namespace sluice::migrate {

/// Versions of a module are 1, 2, 3 … without gaps. `statements` has one list per dialect; a dialect without one is a
/// `config` error when the migration is run there.
struct Migration {
    std::string module;
    int version = 0;
    std::string name;
    std::map<db::Dialect, std::vector<std::string>> statements;
};

}  // namespace sluice::migrate
