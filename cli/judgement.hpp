// Facts about a database to findings: what is in order, what needs attention, what cannot work. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/describe/class.hpp>

namespace sluice::cli {

enum class Verdict : std::uint8_t { ok, warning, error };

struct Finding {
    std::string check;  ///< a name that stays the same: "role", "pooler"
    Verdict verdict = Verdict::ok;
    std::string text;  ///< what was found and, unless it is in order, what to do
};

/// Column names of the query that asks for them.
struct PostgresFacts {
    std::int64_t version = 0;  ///< as in server_version_num: 150014
    std::string version_text;
    bool replica = false;
    bool read_only = false;  ///< default_transaction_read_only
    bool superuser = false;
    bool bypasses_row_security = false;
    std::int64_t owned_tables = 0;  ///< in the schema where new tables go
    bool may_create = false;        ///< tables there
    std::string schema;             ///< empty: none of the search path exists
    std::string encoding;
    std::string fsync;
    std::string synchronous_commit;
    std::int64_t connections = 0;
    std::int64_t most_connections = 0;
};
BOOST_DESCRIBE_STRUCT(PostgresFacts, (),
                      (version, version_text, replica, read_only, superuser, bypasses_row_security, owned_tables,
                       may_create, schema, encoding, fsync, synchronous_commit, connections, most_connections))

enum class Pooler : std::uint8_t {
    none_seen,    ///< a connection's settings stay with it
    transaction,  ///< another connection saw them: a pooler lends its own for a transaction each
};

struct MariadbFacts {
    std::string version_text;
    bool read_only = false;
    bool superuser = false;
    std::string charset;
    std::int64_t flush_at_commit = 1;
    bool binlog = false;
    std::string binlog_format;
    bool trusts_triggers = false;  ///< log_bin_trust_function_creators
    bool strict = false;           ///< of sessions that do not say themselves what they want
    std::int64_t connections = 0;
    std::int64_t most_connections = 0;
};
BOOST_DESCRIBE_STRUCT(MariadbFacts, (),
                      (version_text, read_only, superuser, charset, flush_at_commit, binlog, binlog_format,
                       trusts_triggers, strict, connections, most_connections))

struct SqliteFacts {
    std::string version_text;
    std::string journal;
    std::int64_t bytes = 0;
};

[[nodiscard]] std::vector<Finding> judge(const PostgresFacts& facts, Pooler pooler);
[[nodiscard]] std::vector<Finding> judge(const MariadbFacts& facts);
[[nodiscard]] std::vector<Finding> judge(const SqliteFacts& facts);

}  // namespace sluice::cli
