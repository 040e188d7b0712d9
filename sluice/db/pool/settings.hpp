// How many connections a data source keeps, for how long, and how long one waits for them.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice::db::pool {

/// See docs/data.md, "Pools".
struct Settings {
    std::uint32_t max = 16;              ///< connections, those being opened included
    std::uint32_t min_idle = 0;          ///< kept open although nobody uses them
    std::uint32_t max_waiting = 10'000;  ///< one more is `pool_exhausted` at once
    std::chrono::milliseconds acquire_timeout{5'000};
    std::chrono::milliseconds max_lifetime{30 * 60'000};  ///< up to a tenth shorter, by chance
    std::chrono::milliseconds idle_timeout{10 * 60'000};
    std::chrono::milliseconds check_after{30'000};    ///< idle longer: tried before it is lent
    std::chrono::milliseconds leak_age{60'000};       ///< lent longer: reported once, with the borrower
    std::chrono::milliseconds sweep_interval{1'000};  ///< how often each shard looks for the old and the leaked
};

}  // namespace sluice::db::pool
