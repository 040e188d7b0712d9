#include "sluice/db/pin.hpp"

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/db/internal/fake_source.hpp"
#include "sluice/db/registry.hpp"
#include "sluice/runtime/run_task.hpp"

namespace sluice::db {
namespace {

using internal::FakeSource;

/// A registry with the source "fake", a pin, and whether it held while the unit was open.
struct Pinned : ::testing::Test {
    Pinned() { registry.add(source); }

    /// How a unit ended: "ok" or what was thrown. The pin is looked at inside the body.
    std::string unit(TransactionOptions options, bool fails = false) {
        const auto body = [this, fails](UnitOfWork& unit) { return look(unit, fails); };
        try {
            runtime::run_task(shard, registry.transaction("fake", options, pin, body));
        } catch (const std::exception& error) {
            return error.what();
        }
        return "ok";
    }
    Task<void> look(UnitOfWork& unit, bool fails) {
        co_await unit.execute("insert");
        inside = pin.apply(AccessIntent::read);
        if (fails) throw std::runtime_error("no");
    }
    AccessIntent read() { return pin.apply(AccessIntent::read); }

    std::shared_ptr<FakeSource> source = std::make_shared<FakeSource>();
    DataSourceRegistry registry;
    ReadAfterWritePin pin;
    runtime::Shard shard{0, core::real_clock()};
    AccessIntent inside = AccessIntent::read;
};

TEST_F(Pinned, a_request_that_has_written_nothing_reads_from_replicas) {
    EXPECT_EQ(read(), AccessIntent::read);
    EXPECT_FALSE(pin.pinned());
}

TEST_F(Pinned, a_unit_pins_while_it_is_open_and_from_its_commit_on) {
    EXPECT_EQ(unit({}), "ok");
    EXPECT_EQ(inside, AccessIntent::write);
    EXPECT_EQ(read(), AccessIntent::write);
}

TEST_F(Pinned, a_unit_that_rolled_back_leaves_no_pin) {
    EXPECT_EQ(unit({}, true), "no");
    EXPECT_EQ(inside, AccessIntent::write);
    EXPECT_EQ(read(), AccessIntent::read);
}

TEST_F(Pinned, a_commit_that_failed_for_certain_leaves_no_pin) {
    source->commit_failure = ErrorKind::conflict;
    EXPECT_NE(unit({}), "ok");
    EXPECT_EQ(read(), AccessIntent::read);
}

TEST_F(Pinned, a_commit_of_unknown_outcome_keeps_the_pin) {
    source->commit_failure = ErrorKind::outcome_unknown;
    EXPECT_NE(unit({}), "ok");
    EXPECT_EQ(read(), AccessIntent::write);
}

TEST_F(Pinned, a_unit_that_runs_again_pins_once_it_committed) {
    source->commit_failure = ErrorKind::serialization;
    source->failing_commits = 2;
    TransactionOptions options;
    options.retry_serialization = 3;
    EXPECT_EQ(unit(options), "ok");
    EXPECT_EQ(read(), AccessIntent::write);
}

TEST_F(Pinned, a_read_only_unit_does_not_pin) {
    TransactionOptions options;
    options.read_only = true;
    EXPECT_EQ(unit(options), "ok");
    EXPECT_EQ(inside, AccessIntent::read);
    EXPECT_EQ(read(), AccessIntent::read);
}

TEST_F(Pinned, a_write_connection_taken_by_hand_pins_at_once) {
    runtime::run_task(shard, registry.acquire("fake", AccessIntent::write, pin));
    EXPECT_EQ(read(), AccessIntent::write);
    EXPECT_EQ(unit({}, true), "no");
    EXPECT_EQ(read(), AccessIntent::write) << "a unit that rolled back took another's pin away";
}

TEST_F(Pinned, an_unknown_source_is_refused_before_anything_is_pinned) {
    const auto nothing = [](UnitOfWork&) -> Task<void> { co_return; };
    EXPECT_THROW(static_cast<void>(registry.transaction("other", {}, pin, nothing)), Error);
    EXPECT_THROW(static_cast<void>(registry.acquire("other", AccessIntent::write, pin)), Error);
    EXPECT_FALSE(pin.pinned());
}

}  // namespace
}  // namespace sluice::db
