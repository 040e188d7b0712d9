#include "sluice/db/mariadb/internal/classify.hpp"

#include <algorithm>
#include <array>

namespace sluice::db::mariadb {
namespace {

struct KindOfNumber {
    unsigned code;
    ErrorKind kind;
};

/// In order of their numbers.
constexpr std::array kNumbers{
    KindOfNumber{1020, ErrorKind::serialization},   // changed since the snapshot (innodb_snapshot_isolation)
    KindOfNumber{1022, ErrorKind::conflict},        // duplicate key
    KindOfNumber{1040, ErrorKind::pool_exhausted},  // the server's max_connections
    KindOfNumber{1044, ErrorKind::permission},      // no right to the database
    KindOfNumber{1045, ErrorKind::permission},
    KindOfNumber{1048, ErrorKind::constraint},  // not null
    KindOfNumber{1049, ErrorKind::config},      // no such database
    KindOfNumber{1053, ErrorKind::connection},  // shuts down
    KindOfNumber{1062, ErrorKind::conflict},
    KindOfNumber{1077, ErrorKind::connection},
    KindOfNumber{1078, ErrorKind::connection},
    KindOfNumber{1079, ErrorKind::connection},
    KindOfNumber{1080, ErrorKind::connection},
    KindOfNumber{1129, ErrorKind::connection},  // host blocked after too many errors
    KindOfNumber{1130, ErrorKind::permission},  // host not allowed
    KindOfNumber{1131, ErrorKind::permission},
    KindOfNumber{1133, ErrorKind::permission},
    KindOfNumber{1141, ErrorKind::permission},
    KindOfNumber{1142, ErrorKind::permission},  // command denied for the table
    KindOfNumber{1143, ErrorKind::permission},  // for the column
    KindOfNumber{1152, ErrorKind::connection},  // aborted
    KindOfNumber{1153, ErrorKind::query},       // larger than max_allowed_packet
    KindOfNumber{1158, ErrorKind::connection},
    KindOfNumber{1159, ErrorKind::connection},
    KindOfNumber{1160, ErrorKind::connection},
    KindOfNumber{1161, ErrorKind::connection},
    KindOfNumber{1169, ErrorKind::conflict},  // unique constraint
    KindOfNumber{1184, ErrorKind::connection},
    KindOfNumber{1203, ErrorKind::pool_exhausted},  // max_user_connections
    KindOfNumber{1205, ErrorKind::serialization},   // lock wait timeout
    KindOfNumber{1213, ErrorKind::serialization},   // deadlock
    KindOfNumber{1216, ErrorKind::constraint},      // foreign keys
    KindOfNumber{1217, ErrorKind::constraint},
    KindOfNumber{1226, ErrorKind::pool_exhausted},  // a limit of the account
    KindOfNumber{1227, ErrorKind::permission},
    KindOfNumber{1317, ErrorKind::timeout},        // KILL QUERY
    KindOfNumber{1364, ErrorKind::constraint},     // no value and no default
    KindOfNumber{1369, ErrorKind::constraint},     // WITH CHECK OPTION
    KindOfNumber{1370, ErrorKind::permission},     // routine
    KindOfNumber{1412, ErrorKind::serialization},  // the table changed under the snapshot
    KindOfNumber{1419, ErrorKind::permission},     // a trigger beside a binary log needs SUPER
    KindOfNumber{1451, ErrorKind::constraint},
    KindOfNumber{1452, ErrorKind::constraint},
    KindOfNumber{1557, ErrorKind::conflict},
    KindOfNumber{1586, ErrorKind::conflict},
    KindOfNumber{1614, ErrorKind::serialization},
    KindOfNumber{1644, ErrorKind::constraint},  // SIGNAL in a trigger
    KindOfNumber{1698, ErrorKind::permission},  // authentication by another way
    KindOfNumber{1761, ErrorKind::conflict},
    KindOfNumber{1762, ErrorKind::conflict},
    KindOfNumber{1792, ErrorKind::read_only},  // in a read-only transaction
    KindOfNumber{1820, ErrorKind::permission},
    KindOfNumber{1836, ErrorKind::read_only},
    KindOfNumber{1862, ErrorKind::permission},  // password expired
    KindOfNumber{1927, ErrorKind::connection},  // KILL CONNECTION
    KindOfNumber{1969, ErrorKind::timeout},     // max_statement_time
    KindOfNumber{2020, ErrorKind::query},       // larger than the library's packet
    KindOfNumber{2057, ErrorKind::query},       // the result has other columns than when it was prepared
    KindOfNumber{2059, ErrorKind::config},      // an authentication plugin that this client has not
    KindOfNumber{3024, ErrorKind::timeout},
    KindOfNumber{4025, ErrorKind::constraint},  // CHECK
    KindOfNumber{4151, ErrorKind::permission},  // account locked
};
static_assert(std::ranges::is_sorted(kNumbers, {}, &KindOfNumber::code));

struct KindOfClass {
    std::string_view prefix;
    ErrorKind kind;
};

constexpr std::array kClasses{
    KindOfClass{"07", ErrorKind::query},      KindOfClass{"08", ErrorKind::connection},
    KindOfClass{"0A", ErrorKind::query},      KindOfClass{"0K", ErrorKind::query},
    KindOfClass{"0Z", ErrorKind::query},      KindOfClass{"20", ErrorKind::query},
    KindOfClass{"21", ErrorKind::query},      KindOfClass{"22", ErrorKind::query},
    KindOfClass{"23", ErrorKind::constraint}, KindOfClass{"24", ErrorKind::query},
    KindOfClass{"25", ErrorKind::query},      KindOfClass{"28", ErrorKind::permission},
    KindOfClass{"2F", ErrorKind::query},      KindOfClass{"34", ErrorKind::query},
    KindOfClass{"3D", ErrorKind::query},      KindOfClass{"40", ErrorKind::serialization},
    KindOfClass{"42", ErrorKind::query},      KindOfClass{"44", ErrorKind::constraint},
    KindOfClass{"45", ErrorKind::constraint}, KindOfClass{"70", ErrorKind::timeout},
    KindOfClass{"XA", ErrorKind::query},
};

constexpr unsigned kOptionPrevents = 1290;
constexpr unsigned kFirstOfLibrary = 2000;
constexpr unsigned kEndOfLibrary = 3000;

}  // namespace

ErrorKind classify(const Said& said) noexcept {
    if (said.code == kOptionPrevents) {
        const bool read_only = said.message.find("read-only") != std::string_view::npos;
        return read_only ? ErrorKind::read_only : ErrorKind::permission;
    }
    const auto known = std::ranges::lower_bound(kNumbers, said.code, {}, &KindOfNumber::code);
    if (known != kNumbers.end() && known->code == said.code) return known->kind;
    if (ends_connection(said.code)) return ErrorKind::connection;
    if (said.code >= kFirstOfLibrary && said.code < kEndOfLibrary) return ErrorKind::other;
    for (const KindOfClass& each : kClasses) {
        if (said.sqlstate.starts_with(each.prefix)) return each.kind;
    }
    return ErrorKind::other;
}

bool ends_connection(unsigned code) noexcept {
    constexpr std::array<unsigned, 23> kEnders{1053, 1077, 1078, 1079, 1080, 1152, 1153, 1158, 1159, 1160, 1161, 1184,
                                               1927, 2001, 2002, 2003, 2004, 2006, 2013, 2014, 2026, 2027, 2055};
    return std::ranges::binary_search(kEnders, code);
}

}  // namespace sluice::db::mariadb
