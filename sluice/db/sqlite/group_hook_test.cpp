// What the outbox's hook sees of groups.
#include "sluice/db/sqlite/group_hook.hpp"

#include <atomic>
#include <mutex>

#include <gtest/gtest.h>

#include "sluice/db/sqlite/internal/database_fixture.hpp"
#include "sluice/db/sqlite/internal/engine.hpp"

namespace sluice::db::sqlite {
namespace {

/// Copies new rows of t into numbered(n, a), as the outbox numbers messages.
class NumberingHook final : public GroupHook {
public:
    bool before_commit(WriterSession& session) override {
        note("before ");
        if (fail.load()) throw std::runtime_error("planned");
        const Result result = session.run(statement(
            "insert into numbered(a) select a from t where a > coalesce((select max(a) from numbered), 0) order by a"));
        return result.affected > 0;
    }
    void after_commit() noexcept override { note("committed "); }
    void after_rollback() noexcept override { note("rolled back "); }

    [[nodiscard]] std::string log() const {
        const std::lock_guard lock(mutex_);
        return log_;
    }
    std::atomic<bool> fail{false};

private:
    void note(const char* text) {
        const std::lock_guard lock(mutex_);
        log_ += text;
    }
    mutable std::mutex mutex_;
    std::string log_;
};

struct GroupHooks : DatabaseFixture {
    void SetUp() override {
        DatabaseFixture::SetUp();
        open();
        on_shard(write("create table numbered(n integer primary key, a integer)"));
        database->set_group_hook(hook);
    }
    Task<std::string> numbered() {
        const auto connection = co_await database->acquire(AccessIntent::read);
        const auto row = co_await connection->query_one("select group_concat(n || ':' || a, ' ') from numbered");
        co_return row->get<std::optional<std::string>>(0).value_or("");
    }
    void insert_elsewhere(std::int64_t a) const {
        EngineOptions options;
        options.source = "other";
        options.path = file();
        Engine other(options);
        other.run(statement("insert into t(a) values ($1)", a));
    }
    std::shared_ptr<NumberingHook> hook = std::make_shared<NumberingHook>();
};

TEST_F(GroupHooks, run_inside_the_groups_transaction_after_its_last_unit) {
    on_shard([](GroupHooks& test) -> Task<void> {
        Holder holder(test.shard());
        runtime::TaskScope scope(test.shard(), {});
        scope.spawn("holder", test.hold(holder, 1));
        co_await holder.started.wait();
        std::string outcome;
        scope.spawn("unit", test.insert(outcome, 2));
        co_await test.until_waiting(1);
        holder.go_on.notify();
        co_await scope.join();
        const std::string numbered = co_await test.numbered();
        EXPECT_EQ(numbered, "1:1 2:2");
        EXPECT_EQ(test.hook->log(), "before committed ");
    }(*this));
}

TEST_F(GroupHooks, that_fail_take_the_group_with_them) {
    on_shard([](GroupHooks& test) -> Task<void> {
        test.hook->fail.store(true);
        std::string outcome;
        co_await test.insert(outcome, 1);
        EXPECT_EQ(outcome, "serialization");
        EXPECT_EQ(test.hook->log(), "before rolled back ");
        test.hook->fail.store(false);
        co_await test.insert(outcome, 1);
        EXPECT_EQ(outcome, "ok");
        const std::string numbered = co_await test.numbered();
        EXPECT_EQ(numbered, "1:1");
    }(*this));
}

TEST_F(GroupHooks, do_not_run_for_a_group_without_anything_to_commit) {
    on_shard([](GroupHooks& test) -> Task<void> {
        const auto body = [](UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into t(a) values (1)");
            throw std::runtime_error("no");
        };
        EXPECT_THROW(co_await test.database->transaction(kDefaults, body), std::runtime_error);
        EXPECT_EQ(test.hook->log(), "");
    }(*this));
}

TEST_F(GroupHooks, see_rows_of_other_processes_when_a_group_is_asked_for) {
    on_shard([](GroupHooks& test) -> Task<void> {
        test.insert_elsewhere(5);
        test.database->request_group(false);
        co_await test.until([&test] { return test.hook->log() == "before committed "; });
        const std::string numbered = co_await test.numbered();
        EXPECT_EQ(numbered, "1:5");
    }(*this));
}

TEST_F(GroupHooks, are_asked_again_only_if_another_process_committed) {
    on_shard([](GroupHooks& test) -> Task<void> {
        test.database->request_group(true);
        co_await test.until([&test] { return test.hook->log() == "before rolled back "; });
        for (int i = 0; i < 5; ++i)
            test.database->request_group(false);
        std::string outcome;
        co_await test.insert(outcome, 1);
        test.database->request_group(false);
        co_await test.insert(outcome, 2);
        EXPECT_EQ(test.hook->log(), "before rolled back before committed before committed ");
        test.insert_elsewhere(7);
        test.database->request_group(false);
        co_await test.until(
            [&test] { return test.hook->log().ends_with("before committed before committed before committed "); });
    }(*this));
}

TEST_F(GroupHooks, can_be_taken_out) {
    database->set_group_hook(nullptr);
    on_shard([](GroupHooks& test) -> Task<void> {
        std::string outcome;
        co_await test.insert(outcome, 1);
        test.database->request_group(true);
        co_await test.insert(outcome, 2);
        EXPECT_EQ(test.hook->log(), "");
    }(*this));
}

TEST_F(GroupHooks, are_let_go_when_the_source_closes) {
    const std::weak_ptr<NumberingHook> watch = hook;
    hook.reset();
    close();
    EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace sluice::db::sqlite
