// Many clients at once.
#include <fmt/format.h>

#include "driver.hpp"

namespace sluice::contract {
namespace {

constexpr int kClients = 16;
constexpr int kUnitsPerClient = 25;

class DbConcurrency : public DbContract {};

Task<void> transfer(db::UnitOfWork& unit, std::int64_t from, std::int64_t to) {
    co_await unit.execute("update account set balance = balance - 1 where id = $1", from);
    co_await unit.execute("update account set balance = balance + 1, moves = moves + 1 where id = $1", to);
}

Task<void> transfer_often(db::DataSource& source, int client) {
    db::TransactionOptions options;
    options.retry_serialization = 1'000;
    for (int i = 0; i < kUnitsPerClient; ++i) {
        // Always from the lower account to the higher, so that locks are taken in one order.
        const std::int64_t from = (client + i) % 4;
        const auto body = [from](db::UnitOfWork& unit) { return transfer(unit, from, from + 1); };
        co_await source.transaction(options, body);
    }
}

TEST_P(DbConcurrency, sixteen_clients_lose_no_update) {
    execute("create table account(id bigint primary key, balance bigint not null, moves bigint not null)");
    execute("insert into account values (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)");
    std::vector<std::future<void>> clients;
    for (int client = 0; client < kClients; ++client) {
        const auto on = static_cast<std::uint32_t>(client % 2);
        clients.push_back(runtime::start_on(shard(on), transfer_often(source(), client)));
    }
    for (std::future<void>& client : clients)
        client.get();
    const auto sums = [](db::DataSource& source) -> Task<std::string> {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query("select balance, moves from account");
        std::int64_t balance = 0;
        std::int64_t moves = 0;
        for (const db::Row& row : result) {
            balance += row.get<std::int64_t>("balance");
            moves += row.get<std::int64_t>("moves");
        }
        co_return fmt::format("{} {}", balance, moves);
    };
    EXPECT_EQ(wait(sums(source())), fmt::format("0 {}", kClients * kUnitsPerClient));
}

enum class Plan { succeed, violate, give_up };

Plan plan_of(int number) {
    if (number % 7 == 0) return Plan::violate;
    return number % 11 == 0 ? Plan::give_up : Plan::succeed;
}

Task<void> planned_unit(db::UnitOfWork& unit, int number) {
    co_await insert_item(unit, number);
    if (plan_of(number) == Plan::violate) co_await insert_item(unit, number);
    if (plan_of(number) == Plan::give_up) throw std::runtime_error("gave up");
}

Task<void> run_planned(DbContract& test, std::vector<std::string>& outcomes) {
    runtime::TaskScope scope(test.shard(), {});
    const db::TransactionOptions options;
    for (std::size_t i = 1; i < outcomes.size(); ++i) {
        const auto body = [i](db::UnitOfWork& unit) { return planned_unit(unit, static_cast<int>(i)); };
        scope.spawn("unit", DbContract::note(outcomes[i], test.source().transaction(options, body)));
    }
    co_await scope.join();
}

TEST_P(DbConcurrency, units_that_fail_harm_no_other) {
    make_items();
    std::vector<std::string> outcomes(201);
    wait(run_planned(*this, outcomes));
    std::string expected;
    for (int i = 1; i <= 200; ++i) {
        const Plan plan = plan_of(i);
        const char* const ended = plan == Plan::succeed ? "ok" : plan == Plan::violate ? "conflict" : "gave up";
        EXPECT_EQ(outcomes[static_cast<std::size_t>(i)], ended) << i;
        if (plan == Plan::succeed) expected += (expected.empty() ? "" : " ") + std::to_string(i);
    }
    EXPECT_EQ(items(), expected);
}

Task<int> count_missing(db::DataSource& source) {
    int missing = 0;
    const db::TransactionOptions options;
    for (std::int64_t id = 1; id <= 50; ++id) {
        const auto body = [id](db::UnitOfWork& unit) { return insert_item(unit, id); };
        co_await source.transaction(options, body);
        const auto reader = co_await source.acquire(db::AccessIntent::read);
        const auto row = co_await reader->query_one("select 1 as found from item where id = $1", id);
        missing += row.has_value() ? 0 : 1;
    }
    co_return missing;
}

TEST_P(DbConcurrency, a_reader_sees_a_commit_as_soon_as_it_is_acknowledged) {
    make_items();
    EXPECT_EQ(wait(count_missing(source())), 0);
}

INSTANTIATE_TEST_SUITE_P(Db, DbConcurrency, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
