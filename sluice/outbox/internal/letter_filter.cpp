#include "sluice/outbox/internal/letter_filter.hpp"

#include <array>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/outbox/internal/limits.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr std::array<std::string_view, 4> kStates = {"pending", "reprocessing", "resolved", "discarded"};

constexpr std::size_t kMostIds = 1'000;
constexpr std::uint16_t kHighestLane = 4'095;
constexpr std::size_t kFilterTextBytes = 255;
constexpr std::size_t kFilterKeyBytes = 512;

void add_text(SqlText& sql, std::string_view column, const std::optional<std::string>& text) {
    if (!text) return;
    sql.add(" and ").add(column);
    if (text->empty())
        sql.add(" is null");
    else
        sql.add(" = ").bind(*text);
}

std::optional<std::string> fault_of_text(std::string_view field, const std::optional<std::string>& text,
                                         std::size_t most) {
    if (!text || (text->size() <= most && core::is_utf8(*text))) return std::nullopt;
    return fmt::format("filter.{} of {} bytes is not at most {} bytes of UTF-8", field, text->size(), most);
}

std::optional<std::string> fault_of_numbers(const DeadLetterFilter& filter) {
    if (filter.lane && filter.lane->value() > kHighestLane)
        return fmt::format("filter.lane is {}, it must be from 0 to {}", *filter.lane, kHighestLane);
    if (filter.failed_from && filter.failed_until && *filter.failed_from >= *filter.failed_until)
        return "filter.failed_from is not before filter.failed_until";
    if (filter.ids.size() > kMostIds)
        return fmt::format("filter.ids has {} entries, at most {} are possible", filter.ids.size(), kMostIds);
    for (const std::int64_t id : filter.ids) {
        if (id < 1) return fmt::format("filter.ids has {}, ids begin at 1", id);
    }
    return std::nullopt;
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

std::optional<std::string> fault_of(const DeadLetterFilter& filter) {
    if (filter.subscription && !filter.subscription->empty()) {
        if (const auto fault = fault_of_name(*filter.subscription)) return "filter.subscription " + *fault;
    }
    if (filter.queue) {
        if (const auto fault = fault_of_name(*filter.queue)) return "filter.queue " + *fault;
    }
    if (filter.type && filter.type->empty()) return "filter.type is empty; every message has a type";
    if (auto fault = fault_of_text("key", filter.key, kFilterKeyBytes)) return fault;
    if (auto fault = fault_of_text("type", filter.type, kFilterTextBytes)) return fault;
    if (auto fault = fault_of_text("tenant", filter.tenant, kFilterTextBytes)) return fault;
    return fault_of_numbers(filter);
}

SqlText& SqlText::bind(db::Value value) {
    values_.push_back(std::move(value));
    text_ += fmt::format("${}", values_.size());
    return *this;
}

void add_filter(SqlText& sql, const DeadLetterFilter& filter) {
    add_text(sql, "subscription", filter.subscription);
    if (filter.queue)
        sql.add(" and queue = (select number from sluice_queue where name = ").bind(*filter.queue).add(")");
    if (filter.lane) sql.add(" and lane_of_message = ").bind(filter.lane->value());
    add_text(sql, "\"key\"", filter.key);
    add_text(sql, "type", filter.type);
    add_text(sql, "tenant", filter.tenant);
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
    if (core::mutant("outbox_claim_without_token")) {
        sql.add(" and state = 'reprocessing'");
        return;
    }
    sql.add(sql::expand(" and state = 'reprocessing' and (claim_until is null or claim_until >= {now}) and claim = ",
                        dialect))
        .bind(claim);
}

}  // namespace sluice::outbox
