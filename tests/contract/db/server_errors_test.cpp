// What only a server can do to its clients, provoked on the real one.
#include <algorithm>
#include <array>
#include <utility>

#include "gate.hpp"
#include "server_world.hpp"
#include "tests/servers/own_server.hpp"

namespace sluice::contract {
namespace {

using std::chrono::milliseconds;

class DbServerErrors : public ServerContract {};

TEST_P(DbServerErrors, a_killed_connection_is_a_connection_error_and_the_source_recovers) {
    const std::string ended = outcome([this](db::UnitOfWork& unit) -> Task<void> {
        co_await insert_item(unit, 1);
        const auto killer = co_await source().acquire(db::AccessIntent::write);
        co_await killer->query(kind().kill_others);
        co_await insert_item(unit, 2);
    });
    EXPECT_EQ(ended, "connection");
    EXPECT_EQ(outcome([](db::UnitOfWork& unit) { return insert_item(unit, 3); }), "ok");
    EXPECT_EQ(number("select count(*) from item"), 1);
}

TEST_P(DbServerErrors, a_connection_killed_inside_a_statement_is_a_connection_error) {
    std::string ended;
    const auto sleep_until_killed = [this](std::string& end) -> Task<void> {
        runtime::TaskScope scope(shard(), {});
        const auto body = [this](db::UnitOfWork& unit) -> Task<void> { co_await unit.query(kind().sleep); };
        const db::TransactionOptions options;
        scope.spawn("sleeper", DbContract::note(end, source().transaction(options, body)));
        const auto killer = co_await source().acquire(db::AccessIntent::write);
        for (std::int64_t asleep = 0; asleep == 0;) {
            const auto row = co_await killer->query_one(kind().sleepers);
            asleep = row->get<std::int64_t>(0);
        }
        co_await killer->query(kind().kill_others);
        co_await scope.join();
    };
    wait(sleep_until_killed(ended));
    EXPECT_EQ(ended, "connection");
}

/// Each takes one row and then wants the other's.
Task<void> take_both(db::UnitOfWork& unit, std::int64_t first, runtime::Wake& mine, runtime::Wake& theirs) {
    co_await unit.execute("update item set name = 'x' where id = $1", first);
    mine.notify();
    co_await theirs.wait();
    co_await unit.execute("update item set name = 'x' where id = $1", 3 - first);
}

TEST_P(DbServerErrors, a_deadlock_ends_one_unit_as_serialization_and_lets_the_other_commit) {
    execute("insert into item(id) values (1), (2)");
    std::string first;
    std::string second;
    const auto cross = [this](std::string& one, std::string& two) -> Task<void> {
        runtime::Wake has_one(shard());
        runtime::Wake has_two(shard());
        const auto from_one = [&](db::UnitOfWork& unit) { return take_both(unit, 1, has_one, has_two); };
        const auto from_two = [&](db::UnitOfWork& unit) { return take_both(unit, 2, has_two, has_one); };
        runtime::TaskScope scope(shard(), {});
        const db::TransactionOptions options;
        scope.spawn("one", DbContract::note(one, source().transaction(options, from_one)));
        scope.spawn("two", DbContract::note(two, source().transaction(options, from_two)));
        co_await scope.join();
    };
    wait(cross(first, second));
    EXPECT_TRUE((first == "ok" && second == "serialization") || (first == "serialization" && second == "ok"))
        << first << ", " << second;
}

/// Two units that read one row, each before the other writes it; only the first tries wait for each other.
struct Rivals {
    explicit Rivals(runtime::Shard& shard) : has_read{runtime::Wake(shard), runtime::Wake(shard)} {}
    std::array<runtime::Wake, 2> has_read;
    int tries = 0;
};

Task<void> read_then_write(db::UnitOfWork& unit, Rivals& rivals, std::size_t mine, bool& again) {
    ++rivals.tries;
    co_await unit.query("select name from item where id = 1");
    if (!std::exchange(again, true)) {
        rivals.has_read[mine].notify();
        co_await rivals.has_read[1 - mine].wait();
    }
    co_await unit.execute("update item set name = name || '!' where id = 1");
}

/// How both ended, in alphabetical order.
Task<std::string> run_rivals(ServerContract& test, Rivals& rivals, db::TransactionOptions options) {
    std::array<std::string, 2> ended;
    std::array<bool, 2> again{};
    runtime::TaskScope scope(test.shard(), {});
    for (std::size_t i = 0; i < 2; ++i) {
        const auto body = [&rivals, &again, i](db::UnitOfWork& unit) {
            return read_then_write(unit, rivals, i, again[i]);
        };
        scope.spawn("rival", DbContract::note(ended[i], test.source().transaction(options, body)));
    }
    co_await scope.join();
    std::ranges::sort(ended);
    co_return ended[0] + " " + ended[1];
}

TEST_P(DbServerErrors, a_serialization_failure_has_its_kind_and_the_body_runs_again_if_asked) {
    execute("insert into item values (1, 'a')");
    for (const int retries : {0, 1}) {
        Rivals rivals(shard());
        db::TransactionOptions options;
        options.isolation = db::Isolation::serializable;
        options.retry_serialization = retries;
        EXPECT_EQ(wait(run_rivals(*this, rivals, options)), retries == 0 ? "ok serialization" : "ok ok");
        EXPECT_EQ(rivals.tries, 2 + retries);
    }
    EXPECT_EQ(number("select count(*) from item where name = 'a!!!'"), 1);
}

TEST_P(DbServerErrors, isolation_levels_reach_the_server) {
    execute("insert into item values (1, 'a')");
    for (const auto& [isolation, seen] :
         {std::pair{db::Isolation::read_committed, 2}, {db::Isolation::repeatable_read, 1}}) {
        execute("delete from item where id > 1");
        db::TransactionOptions options;
        options.isolation = isolation;
        const std::string ended = outcome(
            [this, expected = seen](db::UnitOfWork& unit) -> Task<void> {
                co_await unit.query("select * from item");
                const auto rival = co_await source().acquire(db::AccessIntent::write);
                co_await insert_item(*rival, 2);
                const auto row = co_await unit.query_one("select count(*) from item");
                EXPECT_EQ(row->get<std::int64_t>(0), expected);
            },
            options);
        EXPECT_EQ(ended, "ok");
    }
}

TEST_P(DbServerErrors, a_repeatable_read_is_as_of_the_unit_s_first_statement_whatever_that_is) {
    execute("insert into item values (1, 'a')");
    db::TransactionOptions options;
    options.isolation = db::Isolation::repeatable_read;
    const std::string ended = outcome(
        [this](db::UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("update item set name = 'b' where id = 1");
            const auto rival = co_await source().acquire(db::AccessIntent::write);
            co_await insert_item(*rival, 2);
            const auto row = co_await unit.query_one("select count(*) from item");
            EXPECT_EQ(row->get<std::int64_t>(0), 1);
        },
        options);
    EXPECT_EQ(ended, "ok");
}

TEST_P(DbServerErrors, the_server_s_statement_limit_is_a_timeout) {
    const std::string ended = outcome([this](db::UnitOfWork& unit) -> Task<void> {
        co_await unit.execute(kind().set_statement_limit);
        co_await unit.query(kind().sleep);
    });
    EXPECT_EQ(ended, "timeout");
}

TEST_P(DbServerErrors, a_lock_that_is_not_had_in_time_is_serialization) {
    execute("insert into item values (1, 'a')");
    const std::string ended = outcome([this](db::UnitOfWork& holder) -> Task<void> {
        co_await holder.execute("update item set name = 'held' where id = 1");
        std::string rival;
        const db::TransactionOptions options;
        const auto body = [this](db::UnitOfWork& unit) -> Task<void> {
            co_await unit.execute(kind().set_lock_limit);
            co_await unit.execute("update item set name = 'rival' where id = 1");
        };
        co_await DbContract::note(rival, source().transaction(options, body));
        EXPECT_EQ(rival, "serialization");
    });
    EXPECT_EQ(ended, "ok");
}

TEST_P(DbServerErrors, a_deadline_inside_a_statement_stops_it_on_the_server_and_keeps_the_connection) {
    const std::int64_t before = number(kind().own_id);
    db::TransactionOptions options;
    options.deadline = milliseconds(200);
    const std::string ended =
        outcome([this](db::UnitOfWork& unit) -> Task<void> { co_await unit.query(kind().sleep); }, options);
    EXPECT_EQ(ended, "timeout");
    EXPECT_EQ(number(kind().sleepers), 0);
    EXPECT_EQ(number(kind().own_id), before);
}

TEST_P(DbServerErrors, a_wrong_password_is_a_permission_error_without_it) {
    const std::string own = address();
    const std::size_t from = own.find(':', own.find("//") + 2) + 1;
    const std::string wrong = own.substr(0, from) + "hunter2" + own.substr(own.find('@'));
    std::string text;
    const auto use = [&text](db::DataSource& source) -> Task<void> {
        try {
            static_cast<void>(co_await source.acquire(db::AccessIntent::read));
        } catch (const db::Error& error) {
            text = error.what();
        }
    };
    wait(use(open(wrong)));
    EXPECT_TRUE(text.starts_with("sandbox: permission: cannot connect to 127.0.0.1:")) << text;
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
    EXPECT_EQ(text.find("sluice_app"), std::string::npos) << text;
}

TEST_P(DbServerErrors, an_unknown_database_is_a_config_error) {
    const std::string elsewhere = address() + "_that_is_not_there";
    EXPECT_EQ(outcome_on(open(elsewhere), [](db::UnitOfWork& unit) { return insert_item(unit, 1); }), "config");
}

TEST_P(DbServerErrors, a_port_where_nobody_listens_is_a_connection_error) {
    std::uint16_t port = 0;
    {
        const Gate closed(port_of(address()));
        port = closed.port();
    }
    db::DataSource& nobody = open(by_way_of(address(), port));
    EXPECT_EQ(outcome_on(nobody, [](db::UnitOfWork& unit) { return insert_item(unit, 1); }), "connection");
}

/// A unit whose COMMIT meets `cut`; how it ended and which hooks ran.
std::string commit_through_a_gate(ServerContract& test, std::int64_t id, Gate::Cut cut) {
    Gate gate(port_of(test.address()));
    db::DataSource& through = test.open(by_way_of(test.address(), gate.port()));
    std::string hooks;
    gate.cut_at("COMMIT", cut);
    const std::string ended = test.outcome_on(through, [&hooks, id](db::UnitOfWork& unit) -> Task<void> {
        unit.after_commit([&hooks] { hooks += " after_commit"; });
        unit.after_rollback([&hooks] { hooks += " after_rollback"; });
        co_await insert_item(unit, id);
    });
    EXPECT_EQ(gate.cuts(), cut == Gate::Cut::none ? 0 : 1);
    test.wait(through.close());
    return ended + hooks;
}

TEST_P(DbServerErrors, a_lost_commit_is_an_unknown_outcome_whether_it_happened_or_not) {
    EXPECT_EQ(commit_through_a_gate(*this, 1, Gate::Cut::none), "ok after_commit");
    EXPECT_EQ(commit_through_a_gate(*this, 2, Gate::Cut::answer), "outcome_unknown");
    EXPECT_EQ(commit_through_a_gate(*this, 3, Gate::Cut::request), "outcome_unknown");
    EXPECT_EQ(number("select count(*) from item where id = 2"), 1);
    EXPECT_EQ(number("select count(*) from item where id = 3"), 0);
}

TEST_P(DbServerErrors, a_swallowed_failure_is_never_a_commit) {
    std::string hooks;
    const std::string ended = outcome([&hooks](db::UnitOfWork& unit) -> Task<void> {
        unit.after_commit([&hooks] { hooks += "committed"; });
        unit.after_rollback([&hooks] { hooks += "rolled back"; });
        co_await insert_item(unit, 1);
        std::string swallowed;
        co_await DbContract::note(swallowed, insert_item(unit, 1));
        EXPECT_EQ(swallowed, "conflict");
    });
    EXPECT_EQ(ended, "query");
    EXPECT_EQ(hooks, "rolled back");
    EXPECT_EQ(number("select count(*) from item"), 0);
}

TEST_P(DbServerErrors, a_unit_cannot_be_ended_by_a_statement) {
    for (const std::string sql : {"commit", "rollback"}) {
        EXPECT_EQ(outcome([sql](db::UnitOfWork& unit) -> Task<void> {
                      co_await insert_item(unit, 1);
                      co_await unit.execute(sql);
                  }),
                  "query");
    }
    EXPECT_EQ(number("select count(*) from item"), 0);
}

TEST_P(DbServerErrors, a_stopped_or_killed_server_is_a_connection_error_until_it_is_back) {
    const servers::OwnServer server(kind().prefix);
    db::DataSource& own = open(server.address(kind().prefix + ".app"));
    const auto insert = [](std::int64_t id) { return [id](db::UnitOfWork& unit) { return insert_item(unit, id); }; };
    const auto create = [](db::DataSource& source) -> Task<void> {
        const auto connection = co_await source.acquire(db::AccessIntent::write);
        co_await connection->execute("create table item(id bigint, name text)");
    };
    wait(create(own));
    std::int64_t id = 0;
    for (const std::string order : {"halt", "kill"}) {
        EXPECT_EQ(outcome_on(own, insert(++id)), "ok");
        server.tell(order);
        EXPECT_EQ(outcome_on(own, insert(++id)), "connection");
        EXPECT_EQ(outcome_on(own, insert(++id)), "connection");
        server.tell("revive");
        EXPECT_EQ(outcome_on(own, insert(++id)), "ok");
    }
    wait(own.close());
}

INSTANTIATE_TEST_SUITE_P(Db, DbServerErrors, ::testing::ValuesIn(server_kinds()),
                         [](const auto& server) { return server.param->prefix; });

}  // namespace
}  // namespace sluice::contract
