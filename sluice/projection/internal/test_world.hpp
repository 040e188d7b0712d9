// For tests: a database of the kind that the run asks for, a log in memory that delivers batches as the outbox does,
// and a sink that remembers.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/clock.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/projection/internal/projection_sql.hpp"
#include "sluice/projection/internal/test_definitions.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/testing/test_database.hpp"

namespace sluice::projection::sample {

/// The log: positions from 1, dense. One lane per `lanes` by the key's hash; sequences dense per lane.
class MemoryLog final : public outbox::Outbox {
public:
    explicit MemoryLog(std::uint16_t lanes) : lanes_(lanes) {}

    void append(std::string queue, std::string key, std::string type, std::string payload) {
        outbox::Message message;
        message.queue = std::move(queue);
        message.key = std::move(key);
        message.type = std::move(type);
        message.payload = std::move(payload);
        message.lane = core::LaneId(static_cast<std::uint16_t>(std::hash<std::string>{}(message.key) % lanes_));
        message.position = core::Position(static_cast<std::int64_t>(messages.size()) + 1);
        message.id = core::MessageId(message.position.value());
        message.sequence = core::Sequence(++sequences_[message.lane]);
        message.ledger_epoch = epoch;
        messages.push_back(std::move(message));
    }
    template <class Event>
    void append(const outbox::Queue<Event>& queue, const Event& event) {
        append(queue.name(), queue.key_of(event), outbox::Codec<Event>::type(event),
               outbox::Codec<Event>::encode(event));
    }

    outbox::DeadLetters& dead_letters() noexcept override { std::abort(); }
    std::vector<outbox::CursorStatus> status() const override { return {}; }
    db::Task<bool> drained(std::chrono::milliseconds) override { co_return true; }
    db::Task<std::vector<outbox::Message>> read_log(core::Position after, core::Position up_to,
                                                    std::uint32_t limit) override {
        if (before_read) co_await before_read();
        if (after.value() + 1 < oldest) throw outbox::Error(outbox::ErrorKind::gone, "shop", "trimmed");
        std::vector<outbox::Message> found;
        for (std::int64_t at = after.value();
             at < std::min(up_to.value(), std::ssize(messages)) && found.size() < limit; ++at)
            found.push_back(messages[static_cast<std::size_t>(at)]);
        co_return found;
    }
    core::Position head() const noexcept override {
        return std::min(heard, core::Position(static_cast<std::int64_t>(messages.size())));
    }
    db::Task<core::Position> oldest_kept() override { co_return core::Position(oldest); }
    core::Epoch ledger_epoch() const noexcept override { return epoch; }
    db::Task<void> stop(std::chrono::milliseconds) override { co_return; }

    [[nodiscard]] std::uint16_t lanes() const noexcept { return lanes_; }

    std::vector<outbox::Message> messages;
    core::Epoch epoch{1};
    std::int64_t oldest = 1;
    core::Position heard{std::numeric_limits<std::int64_t>::max()};  // what this process knows of
    std::function<db::Task<void>()> before_read;

private:
    std::uint16_t lanes_;
    std::map<core::LaneId, std::int64_t> sequences_;
};

class MemorySink final : public DeltaSink {
public:
    void publish(std::shared_ptr<const DeltaBatch> batch) noexcept override { batches.push_back(std::move(batch)); }
    /// Every change of `key`, oldest first.
    [[nodiscard]] std::vector<KeyChange> of(const std::string& key) const {
        std::vector<KeyChange> found;
        for (const auto& batch : batches)
            for (const KeyChange& change : batch->changes)
                if (change.key == key) found.push_back(change);
        return found;
    }
    std::vector<std::shared_ptr<const DeltaBatch>> batches;
};

/// Undoes a unit after everything in it was done.
struct CommitFails : std::runtime_error {
    CommitFails() : std::runtime_error("the commit fails") {}
};

class World {
public:
    explicit World(std::uint16_t lanes = 4, core::Metrics* shared = nullptr);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Projections on this database; `add` to them, then `start`.
    Projections& make(Settings settings = {});
    /// Prepares them; `attached` also gives them the log.
    void start(bool attached = true);
    /// What the program would see after a restart: the same database, nothing in memory.
    void reopen();

    template <class T>
    T run(db::Task<T> task) {
        return runtime::run_task(shard_, std::move(task));
    }

    /// Delivers what `subscription` has not seen of the log, `size` messages at a time, each batch with its commit.
    void deliver(std::size_t subscription = 0, std::size_t size = 100);
    /// One batch; `fails`: its commit does not come to pass (CommitFails leaves). Answers whether there was one.
    db::Task<bool> deliver_one(std::size_t subscription, std::size_t size, bool fails);
    /// The next batch of one lane, for lanes that are under way at once; `before_commit` runs inside its unit.
    db::Task<bool> deliver_lane(std::size_t subscription, core::LaneId lane, std::size_t size,
                                std::function<db::Task<void>()> before_commit = nullptr);
    /// Forgets how far a subscription is: everything comes again.
    void rewind() { cursors_.clear(); }

    db::Task<void> execute(std::string sql);
    /// The first column of the first row.
    std::int64_t number(const std::string& sql);

    [[nodiscard]] db::DataSource& source() { return *source_; }
    /// For a second program on the same database.
    [[nodiscard]] const std::shared_ptr<db::DataSource>& shared_source() const { return source_; }
    [[nodiscard]] runtime::Shard& shard() { return shard_; }
    [[nodiscard]] Projections& projections() { return *projections_; }

    MemoryLog log;
    std::shared_ptr<MemorySink> sink = std::make_shared<MemorySink>();  // shared with the projections
    core::ManualClock clock;

private:
    void open();
    void close();
    db::Task<void> deliver_batch(const Subscription& to, std::size_t subscription, outbox::Batch batch,
                                 std::function<db::Task<void>()> before_commit);
    db::Task<void> create_tables();
    db::Task<std::int64_t> query_number(std::string sql);
    std::optional<outbox::Batch> next_batch(const Subscription& to, std::size_t subscription, std::size_t size);
    std::optional<outbox::Batch> next_of_lane(const Subscription& to, std::size_t subscription, core::LaneId lane,
                                              std::size_t size);

    testing::TestDatabase database_;
    core::Metrics own_metrics_;
    core::Metrics& metrics_;
    runtime::Shard shard_{0, core::real_clock()};
    std::shared_ptr<db::DataSource> source_;
    std::unique_ptr<Projections> projections_;
    std::vector<Subscription> subscriptions_;
    std::map<std::pair<std::size_t, core::LaneId>, std::int64_t> cursors_;
};

}  // namespace sluice::projection::sample
