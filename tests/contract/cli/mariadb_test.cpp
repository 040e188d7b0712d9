// What `sluice` says of a MariaDB server, and that it never says a password.
#include <gmock/gmock.h>

#include "../db/servers.hpp"
#include "program.hpp"

namespace sluice::contract {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CliMariadb, doctor_warns_of_a_user_with_super_and_not_of_the_modes_that_sluice_sets_itself) {
    const std::string own =
        server_address("mariadb.admin");  // which is in the server's own database, of another charset
    const std::string dsn = own.substr(0, own.rfind('/')) + "/sluice";

    const Ended ended = run_sluice({"doctor"}, {{"SLUICE_DSN", dsn}});

    EXPECT_EQ(ended.code, 0) << ended.out;
    EXPECT_THAT(ended.out, HasSubstr("  warning  user: has SUPER"));
    EXPECT_THAT(ended.out, HasSubstr("  ok       role: primary"));
    EXPECT_THAT(ended.out, HasSubstr("  ok       encoding: utf8mb4"));
    EXPECT_THAT(ended.out, HasSubstr("  ok       sql_mode: strict"));
    EXPECT_THAT(ended.out, HasSubstr("  warning  binlog: off"));
    EXPECT_THAT(ended.out, Not(HasSubstr(password_of(dsn))));
}

TEST(CliMariadb, what_cannot_be_reached_is_told_without_its_password) {
    const std::string dsn = server_address("mariadb.app");
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
    const Ended nobody = run_sluice({"doctor"}, {{"SLUICE_DSN", "mariadb://app:hunter2@127.0.0.1:1/shop"}});
    EXPECT_EQ(nobody.code, 1);
    EXPECT_THAT(nobody.out, HasSubstr("  error    connect: main: connection: cannot connect to 127.0.0.1:1/shop"));
    EXPECT_THAT(nobody.out + nobody.err, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace sluice::contract
