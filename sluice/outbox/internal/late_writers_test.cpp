// Many writers that pause between insert and commit, with savepoints and rollbacks, end to end: every committed message
// once, in an order that keeps acknowledged before begun. The same load that a reader of `id > last` loses 42 % of.
#include <map>
#include <set>

#include "sluice/core/random.hpp"
#include "sluice/outbox/internal/test_tick_bed.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::outbox {
namespace {

constexpr int kWriters = 14;

/// What the writers know and the handler saw.
struct Tally {
    std::vector<std::string> committed;
    std::vector<Message> delivered;
    std::map<std::string, std::string> before;  // a message and one that was acknowledged before it was begun
    std::string last_acknowledged;

    db::Task<void> take(const Batch& batch) {
        for (const Message& message : batch.messages)
            delivered.push_back(message);
        co_return;
    }
};

db::Task<void> pause(core::Random& random) {
    co_await runtime::sleep_for(std::chrono::microseconds(random.below(20'000)));  // lint: allow sleep: it is the load
}

/// One unit of work: an insert, a pause, perhaps an insert that a savepoint undoes, a pause, commit or rollback.
db::Task<void> write_one(TickBed& bed, std::string payload, core::Random& random, Tally& tally) {
    const std::string before = tally.last_acknowledged;
    db::TransactionOptions options;
    HeldUnit unit(co_await bed.source->begin(options));
    co_await unit.run(bed.insert_sql(payload));
    co_await pause(random);
    if (random.below(2) == 0) {
        co_await unit.run("savepoint s");
        co_await unit.run(bed.insert_sql("undone"));
        co_await unit.run("rollback to savepoint s");
    }
    co_await pause(random);
    if (random.below(5) == 0) {
        co_await unit.rollback();
        co_return;
    }
    co_await unit.commit();
    tally.committed.push_back(payload);
    tally.last_acknowledged = payload;
    if (!before.empty()) tally.before[payload] = before;
}

db::Task<void> write_many(TickBed& bed, int writer, int units, Tally& tally) {
    core::Random random(static_cast<std::uint64_t>(writer) + 1);
    for (int i = 0; i < units; ++i)
        co_await write_one(bed, std::to_string(writer) + "-" + std::to_string(i), random, tally);
}

db::Task<void> run_writers(TickBed& bed, int units, Tally& tally) {
    runtime::TaskScope scope(bed.shard, bed.logger());
    for (int writer = 0; writer < kWriters; ++writer)
        scope.spawn("writer", write_many(bed, writer, units, tally));
    co_await scope.join();
    EXPECT_EQ(scope.failed(), 0U);
}

std::map<std::string, std::int64_t> positions_of(const std::vector<Message>& messages) {
    std::map<std::string, std::int64_t> positions;
    for (const Message& message : messages)
        positions.emplace(message.payload, message.position.value());
    return positions;
}

class LateWriters : public ::testing::TestWithParam<db::Dialect> {};

TEST_P(LateWriters, every_committed_message_is_delivered_once_and_no_other) {
    TickBed bed(GetParam(), 4);
    Tally tally;
    auto builder = bed.builder();
    builder.profile(runtime::Profile::low_latency())
        .queue("orders", lanes(4))
        .batch_merged({"orders"}, "all", [&](db::UnitOfWork&, const Batch& batch) { return tally.take(batch); });
    const std::unique_ptr<Outbox> outbox = bed.run(builder.start());

    bed.run(run_writers(bed, testing::scaled(60), tally));
    EXPECT_TRUE(bed.run(outbox->drained(std::chrono::seconds(60))));
    bed.run(outbox->stop(std::chrono::seconds(5)));

    std::multiset<std::string> delivered;
    std::int64_t position = 0;
    for (const Message& message : tally.delivered) {
        EXPECT_EQ(message.position.value(), ++position);
        delivered.insert(message.payload);
    }
    EXPECT_EQ(delivered, std::multiset<std::string>(tally.committed.begin(), tally.committed.end()));
    const std::map<std::string, std::int64_t> positions = positions_of(tally.delivered);
    for (const auto& [later, earlier] : tally.before) {
        if (positions.contains(later) && positions.contains(earlier)) {
            EXPECT_LT(positions.at(earlier), positions.at(later)) << earlier << " was acknowledged before " << later;
        }
    }
    std::cout << tally.committed.size() << " committed, " << tally.delivered.size() << " delivered, "
              << bed.number("select count(*) from sluice_tick") << " ticks\n";
}

INSTANTIATE_TEST_SUITE_P(On, LateWriters, ::testing::ValuesIn(servers()), name_of_server);

}  // namespace
}  // namespace sluice::outbox
