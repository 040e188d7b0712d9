// What the pool needs of a driver's connection.
#pragma once

#include <functional>
#include <memory>

#include "sluice/core/clock.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::db::pool {

/// A connection. Belongs to one shard at a time: every call, the destructor included, on that shard.
class Link {
public:
    virtual ~Link() = default;
    /// Whether it may be lent to another: not broken, no transaction open.
    [[nodiscard]] virtual bool usable() const noexcept = 0;
    /// One round trip. False: dead. Does not throw, cancellation apart.
    virtual runtime::Task<bool> check() = 0;
    /// It rests and moves to another shard: lets go of what belongs to this one.
    virtual void leave_shard() = 0;
    /// First call on the new shard.
    virtual void enter_shard() = 0;
};

/// Opens a connection on the calling shard until `deadline`; throws db::Error.
using Connect = std::function<runtime::Task<std::unique_ptr<Link>>(core::SteadyTime deadline)>;

}  // namespace sluice::db::pool
