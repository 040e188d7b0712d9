// PostgreSQL's snapshots as text (`pg_current_snapshot`, manual section "Functions and Operators", "Transaction ID and
// Snapshot Information") and what the next tick reads: rows committed between two of them. Pure.
//
//     auto before = Snapshot::parse("10:20:10,14,15");
//     before->saw(12);                                    // true: committed or rolled back when it was taken
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::outbox::postgres {

/// Which transactions had ended. Invariant: xmin <= every running one < xmax, rising.
struct Snapshot {
    std::int64_t xmin = 0;              ///< every lower transaction had ended
    std::int64_t xmax = 0;              ///< no transaction from here on had ended
    std::vector<std::int64_t> running;  ///< those between that had not

    /// Nothing for any other text than `xmin:xmax:list`.
    [[nodiscard]] static std::optional<Snapshot> parse(std::string_view text);

    /// As the database writes it.
    [[nodiscard]] std::string text() const;

    /// Whether `xid` had ended; its rows are visible if it committed.
    [[nodiscard]] bool saw(std::int64_t xid) const noexcept;

    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

/// The snapshot that also saw `own`, the transaction that took it, and still none of those that ran beside it: those
/// from `seen.xmax` up to `own` began before it and have not ended for it.
[[nodiscard]] Snapshot including(Snapshot seen, std::int64_t own);

/// Rows that `target` saw and `base` did not, behind id `after`: those of transactions from `base.xmax` on and of
/// `base.running`. Without a target: up to whatever the reading transaction sees.
struct Diff {
    Snapshot base;
    std::optional<Snapshot> target;
    std::int64_t after = 0;
};

}  // namespace sluice::outbox::postgres
