#include "sluice/outbox/internal/letter_filter.hpp"

#include <array>

#include <fmt/format.h>

#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"pending", "reprocessing", "resolved", "discarded"};

void add_equal(SqlText& sql, std::string_view column, db::Value value) {
    sql.add(" and ").add(column).add(" = ").bind(std::move(value));
}

std::int64_t micros(db::Timestamp time) {
    return time.time_since_epoch().count();
}

}  // namespace

std::string_view to_string(LetterState state) noexcept {
    return kStates.at(static_cast<std::size_t>(state));
}

LetterState letter_state(std::string_view text) noexcept {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
        if (kStates[i] == text) return static_cast<LetterState>(i);
    }
    return LetterState::pending;
}

SqlText& SqlText::bind(db::Value value) {
    values_.push_back(std::move(value));
    text_ += fmt::format("${}", values_.size());
    return *this;
}

void add_filter(SqlText& sql, const DeadLetterFilter& filter) {
    if (filter.subscription) add_equal(sql, "subscription", *filter.subscription);
    if (filter.queue)
        sql.add(" and queue = (select number from sluice_queue where name = ").bind(*filter.queue).add(")");
    if (filter.lane) add_equal(sql, "lane_of_message", filter.lane->value());
    if (filter.key && filter.key->empty()) sql.add(" and key is null");
    if (filter.key && !filter.key->empty()) add_equal(sql, "key", *filter.key);
    if (filter.type) add_equal(sql, "type", *filter.type);
    if (filter.tenant) add_equal(sql, "tenant", *filter.tenant);
    if (filter.failed_from) sql.add(" and failed_at >= ").bind(micros(*filter.failed_from));
    if (filter.failed_until) sql.add(" and failed_at < ").bind(micros(*filter.failed_until));
    if (!filter.ids.empty()) sql.add(fmt::format(" and id in ({})", fmt::join(filter.ids, ", ")));
}

void add_states(SqlText& sql, std::span<const LetterState> states) {
    sql.add(" and state in (");
    for (std::size_t i = 0; i < states.size(); ++i)
        sql.add(i == 0 ? "'" : ", '").add(to_string(states[i])).add("'");
    sql.add(")");
}

void add_claimable(SqlText& sql, db::Dialect dialect) {
    sql.add(sql::expand(" and (state = 'pending' or (state = 'reprocessing' and claim_until < {now}))", dialect));
}

void add_claimed(SqlText& sql, const std::string& claim, db::Dialect dialect) {
    sql.add(sql::expand(" and state = 'reprocessing' and (claim_until is null or claim_until >= {now}) and claim = ",
                        dialect))
        .bind(claim);
}

}  // namespace sluice::outbox
