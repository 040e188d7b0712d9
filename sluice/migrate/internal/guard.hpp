// The migration lock of one database, for as long as statements run that no single transaction can hold.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "sluice/db/data_source.hpp"

namespace sluice::migrate::internal {

/// Ends by exactly one of `finish` and `let_go`. PostgreSQL: a transaction on one connection holds it and the
/// statements run on another; so the source must have two. MariaDB: GET_LOCK, on the connection that runs the
/// statements.
class Guard {
public:
    virtual ~Guard() = default;

    /// Where statements run outside of a transaction.
    [[nodiscard]] virtual db::Session& session() = 0;
    /// Runs `last` in one transaction unless the lock was lost meanwhile (`connection`), and lets it go.
    virtual db::Task<void> finish(std::vector<db::Statement> last) = 0;
    /// Never throws.
    virtual db::Task<void> let_go() noexcept = 0;
};

/// Waits at most `wait`; `serialization` when another program keeps the lock.
db::Task<std::unique_ptr<Guard>> take_guard(db::DataSource& source, std::chrono::milliseconds wait);

}  // namespace sluice::migrate::internal
