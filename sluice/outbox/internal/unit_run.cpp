#include "sluice/outbox/internal/unit_run.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"

namespace sluice::outbox {

void UnitRun::begin() {
    writes.clear();
    done = 0;
    handled = 0;
    culprit.reset();
    finished.clear();
    set_aside.clear();
    failed.clear();
    buried = 0;
    still_apart.reset();
}

bool UnitRun::is_set_aside(const std::string& group) const {
    return std::ranges::any_of(set_aside, [&](const auto& entry) { return entry.first == group; });
}

void UnitRun::done_with(const Item& item) {
    finished.push_back(item.waiting.number);
    if (apart)
        writes.push_back({delete_parked(cursor, item.group, item.waiting.number), true});
    else if (item.attempts > 0)
        writes.push_back({forget_attempts(cursor, item.waiting.number)});
}

void UnitRun::finish(const Item& item, db::Dialect dialect) {
    ++handled;
    done_with(item);
    if (const auto letter = letter_of(item.message())) {
        writes.push_back(
            {audit_held_letter(*letter, "resolved", "", fmt::format("delivered as message {}", item.message().id))});
        writes.push_back({resolve_letter(*letter, dialect)});
    }
}

void UnitRun::bury(const Item& item, std::uint32_t attempts, const Complaint& complaint, db::Dialect dialect) {
    ++buried;
    if (const auto letter = letter_of(item.message())) {
        writes.push_back({audit_held_letter(*letter, "failed again", "", complaint.reason)});
        writes.push_back({return_letter(*letter, attempts, complaint.reason, dialect)});
    } else if (apart) {
        writes.push_back({bury_parked(cursor, item.group, item.waiting.number, attempts, complaint.reason), true});
    } else {
        writes.push_back({bury_message(cursor, item.waiting.number, item.message(), attempts, complaint.reason), true});
    }
    done_with(item);
}

void UnitRun::park(const Item& item, const Judgement& judgement, const Complaint& complaint) {
    const bool held = judgement.verdict == Verdict::hold;
    done_with(item);
    writes.push_back({park_message(cursor, item.waiting.number, item.group, item.message(),
                                   {judgement.state.attempts, complaint.reason, held}),
                      true});
    set_aside.push_back({item.group, ParkedKey{judgement.state, held}});
}

void UnitRun::keep(const Item& item, const Judgement& judgement, const Complaint& complaint, db::Dialect dialect) {
    writes.push_back({keep_attempts(cursor, item.waiting.number, judgement.state.attempts, complaint.reason, dialect)});
    failed.emplace_back(item.waiting.number, judgement.state);
}

void UnitRun::join(const Item& item) {
    if (core::mutant("outbox_joined_message_lost")) return;
    writes.push_back({park_message(cursor, item.waiting.number, item.group, item.message(), {0, "", false}), true});
}

void UnitRun::wait_apart(const Item& item, ParkedKey key, const Complaint& complaint) {
    writes.push_back(
        {update_parked(cursor, item.group, item.waiting.number, {key.retry.attempts, complaint.reason, key.held}),
         true});
    still_apart = key;
}

bool UnitRun::stops_at_held(const db::Row& row, const Item& item) {
    if (row.get<std::int64_t>("held") == 0 || core::mutant("outbox_held_key_tried")) return false;
    still_apart = ParkedKey{{item.attempts, {}, {}}, true};
    return true;
}

std::vector<Write> UnitRun::take_writes() {
    const std::int64_t to = done > 0 && !apart ? items[done - 1].waiting.number : from;
    const std::int64_t tick = done > 0 && !apart ? items[done - 1].waiting.logged.tick : from_tick;
    std::vector<Write> all;
    all.reserve(writes.size() + 1);
    all.push_back({advance_cursor(cursor, from, to, tick), true});
    std::ranges::move(writes, std::back_inserter(all));
    writes.clear();
    return all;
}

}  // namespace sluice::outbox
