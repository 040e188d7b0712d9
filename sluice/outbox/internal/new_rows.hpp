// Rows that no tick has seen yet, and what a tick makes of them. Pure; the same for every database.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sluice/db/statement.hpp"
#include "sluice/outbox/internal/ledger.hpp"
#include "sluice/outbox/internal/sequencing.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// By rising id. `contents` has the first of them, as far as memory allows.
struct NewRows {
    std::vector<std::int64_t> ids;
    std::vector<std::int32_t> queues;
    std::vector<std::string> keys;
    std::vector<std::int64_t> xids;  // on PostgreSQL, else empty
    std::vector<Message> contents;
    std::size_t payload_bytes = 0;  // on MariaDB: of the whole messages that were read
    bool more = false;              ///< there are rows that this tick does not take
};

/// Whether every row is of a queue that the ledger knows.
[[nodiscard]] bool all_declared(const NewRows& rows, const Ledger& ledger);

/// The tick that numbers `rows` and what is handed over of it; takes the contents.
[[nodiscard]] Numbered number_rows(NewRows& rows, const Ledger& ledger,
                                   const std::map<std::int32_t, std::string>& queue_names, core::SystemTime now);

/// Rows whose queue number nobody declared get no number: they become dead letters of no subscription.
[[nodiscard]] std::vector<db::Statement> bury_undeclared(const NewRows& rows, const Ledger& ledger);

}  // namespace sluice::outbox
