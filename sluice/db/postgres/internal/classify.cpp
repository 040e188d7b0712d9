#include "sluice/db/postgres/internal/classify.hpp"

#include <array>

namespace sluice::db::postgres {
namespace {

struct KindOfCode {
    std::string_view prefix;  ///< a class (two characters) or a whole SQLSTATE
    ErrorKind kind;
};

/// A longer prefix wins over its class.
constexpr std::array kKinds{
    KindOfCode{"08", ErrorKind::connection},
    KindOfCode{"08P01", ErrorKind::query},  // a placeholder without a value
    KindOfCode{"0A", ErrorKind::query},
    KindOfCode{"21", ErrorKind::query},
    KindOfCode{"22", ErrorKind::query},
    KindOfCode{"23", ErrorKind::constraint},
    KindOfCode{"23505", ErrorKind::conflict},
    KindOfCode{"23P01", ErrorKind::conflict},  // exclusion constraint
    KindOfCode{"25", ErrorKind::query},
    KindOfCode{"25006", ErrorKind::read_only},
    KindOfCode{"25P03", ErrorKind::timeout},  // idle in transaction
    KindOfCode{"25P04", ErrorKind::timeout},  // transaction_timeout
    KindOfCode{"26", ErrorKind::query},
    KindOfCode{"28", ErrorKind::permission},
    KindOfCode{"2D", ErrorKind::query},
    KindOfCode{"34", ErrorKind::query},
    KindOfCode{"3B", ErrorKind::query},
    KindOfCode{"3D", ErrorKind::config},  // no such database
    KindOfCode{"3F", ErrorKind::query},
    KindOfCode{"40", ErrorKind::serialization},
    KindOfCode{"40002", ErrorKind::constraint},
    KindOfCode{"40003", ErrorKind::outcome_unknown},
    KindOfCode{"42", ErrorKind::query},
    KindOfCode{"42501", ErrorKind::permission},
    KindOfCode{"44", ErrorKind::constraint},         // WITH CHECK OPTION
    KindOfCode{"53300", ErrorKind::pool_exhausted},  // the server's max_connections
    KindOfCode{"54", ErrorKind::query},
    KindOfCode{"55P03", ErrorKind::serialization},  // lock not available
    KindOfCode{"57014", ErrorKind::timeout},
    KindOfCode{"57P", ErrorKind::connection},    // shut down, crashed, not ready, dropped, idle too long
    KindOfCode{"P0001", ErrorKind::constraint},  // RAISE in a trigger
    KindOfCode{"P0", ErrorKind::query},
};

}  // namespace

ErrorKind classify(std::string_view sqlstate) noexcept {
    if (sqlstate.size() != 5) return ErrorKind::other;
    const KindOfCode* best = nullptr;
    for (const KindOfCode& each : kKinds) {
        if (!sqlstate.starts_with(each.prefix)) continue;
        if (best == nullptr || each.prefix.size() > best->prefix.size()) best = &each;
    }
    return best == nullptr ? ErrorKind::other : best->kind;
}

bool ends_connection(std::string_view sqlstate) noexcept {
    return (sqlstate.starts_with("08") && sqlstate != "08P01") || sqlstate.starts_with("57P") || sqlstate == "25P03" ||
           sqlstate == "25P04";
}

}  // namespace sluice::db::postgres
