#include "sluice/projection/internal/log.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/projection/error.hpp"

namespace sluice::projection::internal {

db::Task<std::optional<std::vector<outbox::Message>>> LogCursor::next(core::Position up_to) {
    if (after_ >= up_to) co_return std::nullopt;
    std::vector<outbox::Message> messages =
        co_await outbox_.read_log(after_, up_to, engine_.surroundings().settings.log_chunk);
    if (messages.empty()) {
        after_ = up_to;
        co_return std::nullopt;
    }
    after_ = messages.back().position;
    const std::vector<std::string>& queues = engine_.declared().queues;
    std::erase_if(messages, [&queues](const outbox::Message& message) {
        return std::find(queues.begin(), queues.end(), message.queue) == queues.end();
    });
    co_return messages;
}

db::Task<core::Position> log_begin(const Engine& engine, outbox::Outbox& outbox, bool accept_partial) {
    std::unique_ptr<db::Connection> connection = co_await engine.surroundings().source->acquire(db::AccessIntent::read);
    const Generation generation = co_await engine.active(*connection);
    connection.reset();  // the log takes a reader of its own: two of one caller could wait for each other
    const core::Position oldest = co_await outbox.oldest_kept();
    const core::Position began = generation.began.value_or(core::Position());
    const core::Position before_oldest(oldest.value() - 1);
    if (before_oldest <= began) co_return began;
    if (accept_partial) co_return before_oldest;
    throw Error(
        ErrorKind::gone, engine.definition().name(),
        fmt::format("the log begins at position {}, the projection at {}: rebuild it from events of your own, or "
                    "say RebuildOptions::accept_partial_log",
                    oldest, began.value() + 1));
}

db::Task<core::Position> folded_up_to(const Engine& engine, db::Session& session, const Generation& generation) {
    const Store& store = engine.store();
    const db::Result lanes = co_await session.query(store.texts().lanes, store.projection(), generation.number);
    core::Position folded = generation.base;
    for (const LanePosition& lane : Store::lanes(lanes))
        folded = std::max(folded, lane.position);
    co_return folded;
}

db::Task<Skipped> read_skipped(const Engine& engine, db::Session& session, std::int64_t generation) {
    const Store& store = engine.store();
    const db::Result rows = co_await session.query(store.texts().skipped, store.projection(), generation);
    Skipped skipped;
    for (const db::Row& row : rows)
        skipped.emplace(row.get<std::string>(0), row.get<std::int64_t>(1));
    co_return skipped;
}

void leave_out(const Skipped& skipped, std::vector<FoldEvent>& events) {
    if (skipped.empty()) return;
    for (FoldEvent& event : events)
        std::erase_if(event.keys,
                      [&](const std::string& key) { return skipped.contains(std::pair(key, event.position.value())); });
}

}  // namespace sluice::projection::internal
