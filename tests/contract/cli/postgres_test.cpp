// What `sluice` says of a PostgreSQL server, and that it never says a password.
#include <gmock/gmock.h>

#include "../db/driver.hpp"
#include "../db/servers.hpp"
#include "program.hpp"

namespace sluice::contract {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CliPostgres, doctor_warns_of_a_superuser_and_of_a_server_without_fsync) {
    const std::string dsn = server_address("postgres.admin");

    const Ended ended = run_sluice({"doctor"}, {{"SLUICE_DSN", dsn}});

    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.out, HasSubstr("  warning  user: is a superuser"));
    EXPECT_THAT(ended.out, HasSubstr("  ok       role: primary"));
    EXPECT_THAT(ended.out, HasSubstr("  ok       pooler: no pooler in transaction mode between"));
    EXPECT_THAT(ended.out, HasSubstr("  error    durability: fsync is off"));
    EXPECT_THAT(ended.out, Not(HasSubstr(password_of(dsn))));
}

TEST(CliPostgres, doctor_warns_of_a_user_that_owns_the_tables) {
    const auto sandbox = postgres_driver().make_sandbox();
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    const auto source = sandbox->open(metrics);
    const auto make_table = [](db::DataSource& on) -> Task<void> {
        const auto connection = co_await on.acquire(db::AccessIntent::write);
        co_await connection->execute("create table mine(x integer)");
    };
    runtime::block_on(shards.at(0), make_table(*source));
    runtime::block_on(shards.at(0), source->close());

    const Ended ended = run_sluice({"doctor"}, {{"SLUICE_DSN", sandbox->location()}});

    EXPECT_THAT(ended.out, HasSubstr("  warning  user: owns 1 tables"));
}

TEST(CliPostgres, doctor_sees_a_pooler_in_transaction_mode) {
    const Ended ended = run_sluice({"doctor"}, {{"SLUICE_DSN", server_address("pgbouncer.app")}});

    EXPECT_THAT(ended.out, HasSubstr("  warning  pooler: a pooler in transaction mode is between")) << ended.err;
}

TEST(CliPostgres, what_cannot_be_reached_is_told_without_its_password) {
    std::string dsn = server_address("postgres.app");
    const std::string password = password_of(dsn);
    const std::string wrong = "hunter2hunter2";
    std::string refused = dsn;
    refused.replace(refused.find(password), password.size(), wrong);
    for (const auto& words : {std::vector<std::string>{"doctor"}, {"doctor", "--json"}}) {
        const Ended ended = run_sluice(words, {{"SLUICE_DSN", refused}});
        EXPECT_EQ(ended.code, 1);
        EXPECT_THAT(ended.out, HasSubstr("main: permission: cannot connect to 127.0.0.1:"));
        EXPECT_THAT(ended.out + ended.err, Not(HasSubstr(wrong)));
    }
    const Ended nobody = run_sluice({"doctor"}, {{"SLUICE_DSN", "postgres://app:hunter2@127.0.0.1:1/shop"}});
    EXPECT_EQ(nobody.code, 1);
    EXPECT_THAT(nobody.out, HasSubstr("  error    connect: main: connection: cannot connect to 127.0.0.1:1/shop"));
    EXPECT_THAT(nobody.out + nobody.err, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace sluice::contract
