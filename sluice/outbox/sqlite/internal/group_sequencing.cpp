#include "sluice/outbox/sqlite/internal/group_sequencing.hpp"

#include <thread>

#include "sluice/db/sqlite/database.hpp"
#include "sluice/outbox/sqlite/internal/group_sequencer.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::outbox::sqlite {
namespace {

/// Setting the hook waits for the group in progress, which may wait for a unit on this very shard: so another thread
/// does it.
db::Task<void> set_hook(std::shared_ptr<db::sqlite::Database> database, std::shared_ptr<db::sqlite::GroupHook> hook) {
    std::jthread helper;
    const auto start = [&](runtime::Answer<bool> answer) {
        helper = std::jthread([database, hook, answer = std::move(answer)]() mutable {
            database->set_group_hook(std::move(hook));
            answer(true);
        });
    };
    co_await runtime::await_foreign<bool>(start);
}

class GroupSequencing final : public Sequencing {
public:
    GroupSequencing(std::shared_ptr<db::sqlite::Database> database, SequencingContext context)
        : database_(std::move(database)), context_(std::move(context)) {}

    db::Task<void> start() override {
        receiver_ = std::make_shared<Receiver>(context_.accept);
        auto deliver = [&shard = context_.shard, weak = std::weak_ptr(receiver_)](std::vector<Numbered> ticks) {
            shard.post([weak, ticks = std::move(ticks)]() mutable {
                if (const std::shared_ptr<Receiver> receiver = weak.lock()) (*receiver)(std::move(ticks));
            });
        };
        auto again = [database = std::weak_ptr(database_)] {
            if (const auto open = database.lock()) open->request_group(true);
        };
        const std::string source(database_->name());
        const SequencerSettings settings{source, context_.settings.tick_messages, context_.settings.tick_bytes};
        auto hook = std::make_shared<GroupSequencer>(settings, context_.shard.clock(), context_.log, metrics(source),
                                                     std::move(deliver), std::move(again));
        co_await set_hook(database_, std::move(hook));
    }

    [[nodiscard]] bool at_commit() const noexcept override { return true; }

    /// The group does it, on the writer's thread.
    db::Task<std::uint64_t> tick() override {
        database_->request_group(false);
        co_return 0;
    }

    db::Task<void> stop() override {
        receiver_.reset();
        co_await set_hook(database_, nullptr);
    }

private:
    using Receiver = std::function<void(std::vector<Numbered>)>;

    SequencerMetrics metrics(const std::string& source) const {
        core::Metrics& all = context_.metrics;
        const core::Labels labels{{"source", source}};
        return {all.counter("sluice_outbox_ticks_total", "Ticks made", labels),
                all.counter("sluice_outbox_sequenced_total", "Messages numbered", labels),
                all.counter("sluice_outbox_tick_failures_total", "Groups whose messages could not be numbered", labels),
                all.histogram("sluice_outbox_tick_messages", "Messages per tick", labels,
                              {1, 3, 10, 30, 100, 300, 1'000, 10'000})};
    }

    std::shared_ptr<db::sqlite::Database> database_;
    SequencingContext context_;
    std::shared_ptr<Receiver> receiver_;  // messages on their way hold it weakly
};

}  // namespace

std::unique_ptr<Sequencing> make_group_sequencing(const SequencingContext& context) {
    auto database = std::dynamic_pointer_cast<db::sqlite::Database>(context.source);
    if (!database) return nullptr;
    return std::make_unique<GroupSequencing>(std::move(database), context);
}

}  // namespace sluice::outbox::sqlite
