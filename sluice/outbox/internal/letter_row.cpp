#include "sluice/outbox/internal/letter_row.hpp"

#include <fmt/format.h>

#include "sluice/outbox/internal/letter_filter.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

std::int64_t number_or_zero(const db::Row& row, std::string_view column) {
    return row.get<std::optional<std::int64_t>>(column).value_or(0);
}

db::Timestamp letter_time_of(std::int64_t micros) {
    return db::Timestamp(std::chrono::microseconds(micros));
}

}  // namespace

std::string letter_columns() {
    return fmt::format(
        "select message, {}, id, subscription, lane, lane_of_message, seq, sequence, position, ledger_epoch, attempts,"
        " state, reason, failed_at, completed_at from sluice_dead_letter where 1 = 1",
        sql::kContent);
}

DeadLetter read_letter(const DeliveryDeps& deps, const db::Row& row) {
    Content content = read_content(row, 0);
    DeadLetter letter;
    letter.message = std::move(content.message);
    letter.message.queue = deps.queue_name(content.queue);
    letter.message.lane = core::LaneId(static_cast<std::uint16_t>(number_or_zero(row, "lane_of_message")));
    letter.message.sequence = core::Sequence(number_or_zero(row, "sequence"));
    letter.message.position = core::Position(number_or_zero(row, "position"));
    letter.message.ledger_epoch = core::Epoch(number_or_zero(row, "ledger_epoch"));
    letter.message.attempts = static_cast<int>(row.get<std::int64_t>("attempts"));
    letter.id = row.get<std::int64_t>("id");
    letter.subscription = row.get<std::optional<std::string>>("subscription").value_or("");
    letter.state = letter_state(row.get<std::string>("state"));
    letter.reason = row.get<std::string>("reason");
    letter.failed_at = letter_time_of(row.get<std::int64_t>("failed_at"));
    if (const auto completed = row.get<std::optional<std::int64_t>>("completed_at"))
        letter.completed_at = letter_time_of(*completed);
    return letter;
}

}  // namespace sluice::outbox
