#include "sluice/outbox/internal/new_rows.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

Plan plan_of(const NewRows& rows, const Ledger& ledger, core::SystemTime now) {
    std::vector<NewMessage> fresh;
    fresh.reserve(rows.ids.size());
    for (std::size_t i = 0; i < rows.ids.size(); ++i)
        fresh.push_back({rows.ids[i], rows.queues[i], rows.keys[i]});
    return ledger.plan(fresh, now);
}

}  // namespace

bool all_declared(const NewRows& rows, const Ledger& ledger) {
    return std::ranges::all_of(rows.queues, [&](std::int32_t queue) { return ledger.declared(queue); });
}

Numbered number_rows(NewRows& rows, const Ledger& ledger, const std::map<std::int32_t, std::string>& queue_names,
                     core::SystemTime now) {
    Plan plan = plan_of(rows, ledger, now);
    Numbered numbered;
    numbered.tick = std::move(plan.tick);
    if (rows.contents.empty()) return numbered;
    const Tick& tick = numbered.tick;
    LogSlice& slice = numbered.slice;
    const bool whole = rows.contents.size() == rows.ids.size();
    slice.begin = {tick.n, 0};
    slice.end = whole ? ReadPoint{tick.n + 1, 0} : ReadPoint{tick.n, rows.ids[rows.contents.size() - 1]};
    slice.after = core::Position(tick.first_position.value() - 1);
    slice.up_to = slice.after;
    slice.messages.reserve(rows.contents.size());
    for (std::size_t i = 0; i < rows.contents.size(); ++i) {
        if (!plan.placements[i]) continue;
        Message& message = rows.contents[i];
        message.queue = queue_names.at(rows.queues[i]);
        message.lane = plan.placements[i]->lane;
        message.sequence = plan.placements[i]->sequence;
        message.position = plan.placements[i]->position;
        message.ledger_epoch = tick.epoch;
        slice.up_to = message.position;
        slice.messages.push_back({std::make_shared<const Message>(std::move(message)), rows.queues[i], tick.n});
    }
    return numbered;
}

std::vector<db::Statement> bury_undeclared(const NewRows& rows, const Ledger& ledger) {
    std::vector<db::Statement> statements;
    for (std::size_t i = 0; i < rows.ids.size(); ++i) {
        if (ledger.declared(rows.queues[i])) continue;
        db::Statement bury = db::statement(fmt::format("insert into sluice_dead_letter(message, {0}, attempts, reason)"
                                                       " select id, {0}, 0, $1 from sluice_message where id = $2",
                                                       sql::kContent),
                                           "its queue number is not in sluice_queue", rows.ids[i]);
        if (!rows.xids.empty()) sql::add_xid(bury, rows.xids[i]);
        statements.push_back(std::move(bury));
    }
    return statements;
}

}  // namespace sluice::outbox
