// What the settings of every driver of a server have to fulfil.
#pragma once

#include <optional>
#include <string>

#include <fmt/format.h>

#include "sluice/db/pool/settings.hpp"

namespace sluice::db::internal {

/// Why the settings cannot be used; empty if they can. `Settings` has `name`, `pool`, `connect_timeout`,
/// `cleanup_limit`.
template <class Settings>
[[nodiscard]] std::optional<std::string> server_settings_refusal(const Settings& settings) {
    const pool::Settings& pool = settings.pool;
    if (settings.name.empty()) return "`name` is empty";
    if (pool.max < 1) return "`pool.max` must be at least 1";
    if (pool.min_idle > pool.max)
        return fmt::format("`pool.min_idle` is {}, more than `pool.max` ({})", pool.min_idle, pool.max);
    if (pool.acquire_timeout.count() < 1) return "`pool.acquire_timeout` must be at least 1 ms";
    if (pool.sweep_interval.count() < 1) return "`pool.sweep_interval` must be at least 1 ms";
    if (settings.connect_timeout.count() < 1) return "`connect_timeout` must be at least 1 ms";
    if (settings.cleanup_limit.count() < 1) return "`cleanup_limit` must be at least 1 ms";
    return std::nullopt;
}

}  // namespace sluice::db::internal
