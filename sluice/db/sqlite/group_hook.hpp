// What the outbox adds to a group of units: after the last unit is decided and before COMMIT it numbers the new
// messages.
#pragma once

#include <cstdint>

#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"

namespace sluice::db::sqlite {

/// Statements on the writer's connection, on its thread. Errors are db::Error.
class WriterSession {
public:
    virtual ~WriterSession() = default;
    /// Prepared once and cached by text.
    virtual Result run(const Statement& statement) = 0;
};

/// Called on the writer's thread only, so it must neither wait nor touch a shard's state: hand results on by message.
class GroupHook {
public:
    virtual ~GroupHook() = default;
    /// Runs inside the group's transaction. Answers whether it wrote. An exception fails the whole group, whose units
    /// end as retryable.
    virtual bool before_commit(WriterSession& session) = 0;
    /// The group is durable.
    virtual void after_commit() noexcept = 0;
    /// The group was rolled back after `before_commit` ran.
    virtual void after_rollback() noexcept = 0;
};

}  // namespace sluice::db::sqlite
