// `sluice migrate …` and `sluice doctor` on every database: the text, the JSON and the exit code.
#include <fstream>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "../db/driver.hpp"
#include "program.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::contract {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Cli : public DbContract {
public:
    void SetUp() override {
        DbContract::SetUp();
        write("0001_articles.sql", "create table article(id integer primary key);\ncreate table seen(n integer);\n");
        write("0002_first.sql", "insert into seen(n) values (1);");
    }

    void write(const std::string& name, const std::string& text) { std::ofstream(folder_.file(name)) << text; }
    [[nodiscard]] std::string dsn() { return dsn_of(sandbox().location()); }
    [[nodiscard]] std::string dsn_of(const std::string& location) const {
        return database() == "sqlite" ? "sqlite:" + location : location;
    }
    /// `sluice WORDS… --modules.shop.folder=…`, the database by the environment.
    Ended run(std::vector<std::string> words) {
        words.push_back("--modules.shop.folder=" + folder_.path().string());
        return run_sluice(words, {{"SLUICE_DSN", dsn()}});
    }
    /// As the program calls it; behind a pooler it is still a PostgreSQL.
    [[nodiscard]] std::string database() const { return driver().name() == "pgbouncer" ? "postgres" : driver().name(); }
    [[nodiscard]] const sluice::testing::TempFolder& folder() const { return folder_; }

private:
    sluice::testing::TempFolder folder_;
};

TEST_P(Cli, plan_shows_the_statements_changes_nothing_and_ends_with_3) {
    const Ended text = run({"migrate", "plan"});
    const Ended json = run({"migrate", "plan", "--json"});

    EXPECT_EQ(text.code, 3) << text.err;
    EXPECT_EQ(text.out, fmt::format("main ({})\n"
                                    "  pending  shop 0001 articles\n"
                                    "             create table article(id integer primary key);\n"
                                    "             create table seen(n integer);\n"
                                    "  pending  shop 0002 first\n"
                                    "             insert into seen(n) values (1);\n"
                                    "migrate plan: 1 of 1 databases in order, 2 steps pending\n",
                                    database()));
    EXPECT_EQ(json.code, 3);
    const std::string first = R"x({"module":"shop","version":1,"name":"articles","state":"pending","statements":)x"
                              R"x(["create table article(id integer primary key)","create table seen(n integer)"]})x";
    const std::string second = R"x({"module":"shop","version":2,"name":"first","state":"pending","statements":)x"
                               R"x(["insert into seen(n) values (1)"]})x";
    EXPECT_EQ(json.out, R"x({"command":"migrate plan","ok":true,"sources":[{"name":"main","database":")x" + database() +
                            R"x(","ok":true,"steps":[)x" + first + "," + second + "]}]}\n");
    EXPECT_EQ(run({"migrate", "verify"}).code, 3);
}

TEST_P(Cli, up_applies_what_is_missing_and_nothing_twice) {
    const Ended first = run({"migrate", "up"});
    const Ended second = run({"migrate", "up"});
    const Ended json = run({"migrate", "up", "--json"});

    EXPECT_EQ(first.code, 0) << first.out << first.err;
    EXPECT_THAT(first.out, HasSubstr("  applied  shop 0002 first in "));
    EXPECT_THAT(first.out, HasSubstr("migrate up: 1 of 1 databases in order, 0 steps pending\n"));
    EXPECT_EQ(second.code, 0);
    EXPECT_EQ(second.out, fmt::format("main ({})\n  2 steps were applied before\n"
                                      "migrate up: 1 of 1 databases in order, 0 steps pending\n",
                                      database()));
    EXPECT_THAT(json.out, HasSubstr(R"("version":2,"name":"first","state":"applied_before"})"));
    EXPECT_EQ(count("seen"), 1);
}

TEST_P(Cli, status_and_verify_tell_what_is_applied_and_what_differs) {
    run({"migrate", "up"});
    write("0003_more.sql", "insert into seen(n) values (2);");

    const Ended status = run({"migrate", "status"});
    EXPECT_EQ(status.code, 0);
    EXPECT_EQ(status.out, fmt::format("main ({})\n  applied  shop 0001 articles\n  applied  shop 0002 first\n"
                                      "  pending  shop 0003 more\n"
                                      "migrate status: 1 of 1 databases in order, 1 steps pending\n",
                                      database()));
    EXPECT_THAT(run({"migrate", "status", "--json"}).out,
                HasSubstr(R"({"module":"shop","version":3,"name":"more","state":"pending"})"));
    EXPECT_EQ(run({"migrate", "verify"}).code, 3);
    run({"migrate", "up"});
    EXPECT_EQ(run({"migrate", "verify"}).code, 0);

    write("0002_first.sql", "insert into seen(n) values (7);");
    const Ended differs = run({"migrate", "verify"});
    EXPECT_EQ(differs.code, 1);
    EXPECT_THAT(differs.out,
                HasSubstr("  FAILED   main: config: migration shop 0002 first was changed after it had been "
                          "applied; restore its text and put the change into a new version\n"));
    EXPECT_THAT(run({"migrate", "verify", "--json"}).out,
                HasSubstr(R"("ok":false,"error":"main: config: migration shop 0002 first was changed)"));
}

TEST_P(Cli, one_broken_database_of_two_is_reported_and_the_other_migrated) {
    const auto other = driver().make_sandbox();
    write("config.toml", fmt::format("[sources.good]\ndsn = \"{}\"\n[sources.bad]\ndsn = \"{}\"\n"
                                     "[modules.shop]\nfolder = \"{}\"\n",
                                     dsn(), dsn_of(other->location()), folder().path().string()));
    const auto spoil = [](db::DataSource& source) -> Task<void> {
        const auto connection = co_await source.acquire(db::AccessIntent::write);
        co_await connection->execute("create table seen(other integer)");
    };
    const auto spoilt = other->open(metrics());
    wait(spoil(*spoilt));
    wait(spoilt->close());
    const std::string config = folder().file("config.toml");

    const Ended up = run_sluice({"migrate", "up", "--config=" + config});
    const Ended only = run_sluice({"migrate", "verify", "--config=" + config, "--only", "good"});

    EXPECT_EQ(up.code, 1);
    EXPECT_THAT(up.out, HasSubstr("  FAILED   bad: query: migration shop 0001 articles: "));
    EXPECT_THAT(up.out, HasSubstr("  applied  shop 0002 first in "));
    EXPECT_THAT(up.out, HasSubstr("migrate up: 1 of 2 databases in order, 2 steps pending\n"));
    EXPECT_EQ(only.code, 0) << only.out << only.err;
}

TEST_P(Cli, sluice_s_own_tables_come_with_a_flag) {
    const std::map<std::string, std::string> environment{{"SLUICE_DSN", dsn()}};

    const Ended up = run_sluice({"migrate", "up", "--with_sluice"}, environment);

    EXPECT_EQ(up.code, 0) << up.out << up.err;
    EXPECT_THAT(up.out, HasSubstr("  applied  sluice_outbox 0001"));
    EXPECT_THAT(up.out, HasSubstr("  applied  sluice_projection 0001"));
    EXPECT_EQ(run_sluice({"migrate", "verify", "--with_sluice"}, environment).code, 0);
}

TEST_P(Cli, doctor_tells_what_it_found_by_text_json_and_exit_code) {
    const Ended text = run_sluice({"doctor"}, {{"SLUICE_DSN", dsn()}});
    const Ended json = run_sluice({"doctor", "--json"}, {{"SLUICE_DSN", dsn()}});

    EXPECT_THAT(text.out, HasSubstr(fmt::format("main ({})\n  ok       connect: answers after ", database())));
    EXPECT_THAT(text.out, HasSubstr("  ok       version: "));
    EXPECT_THAT(json.out, HasSubstr(R"({"check":"version","verdict":"ok","text":)"));
    EXPECT_THAT(json.out, HasSubstr(R"({"command":"doctor","ok":)"));
    const bool has_error = text.out.find("  error ") != std::string::npos;
    EXPECT_EQ(text.code, has_error ? 1 : 0) << text.out;
    EXPECT_EQ(json.code, text.code);
}

TEST_P(Cli, says_what_is_wrong_with_its_words_and_touches_nothing) {
    const std::map<std::string, std::string> environment{{"SLUICE_DSN", dsn()}};
    const auto refusal = [&](const std::vector<std::string>& words, const std::map<std::string, std::string>& given) {
        const Ended ended = run_sluice(words, given);
        EXPECT_EQ(ended.code, 2) << ended.out;
        EXPECT_EQ(ended.out, "");
        return ended.err;
    };
    EXPECT_THAT(refusal({}, environment), HasSubstr("say what to do"));
    EXPECT_THAT(refusal({"migrate", "down"}, environment), HasSubstr("there is no command 'migrate down'"));
    EXPECT_THAT(refusal({"migrate", "up"}, environment), HasSubstr("no migrations are named"));
    EXPECT_THAT(refusal({"doctor"}, {}), HasSubstr("no database is named"));
    EXPECT_THAT(refusal({"doctor", "--jsonn"}, environment), HasSubstr("unknown key 'jsonn'; the nearest is 'json'"));
    EXPECT_THAT(refusal({"doctor", "--only", "other"}, environment), HasSubstr("there is no database 'other'"));
    EXPECT_THAT(refusal({"migrate", "up", "--modules.shop.folder=/nowhere"}, environment), HasSubstr("/nowhere"));
    EXPECT_THAT(refusal({"doctor", "--dsn", "postgres://app:hunter2@/d"}, {}),
                ::testing::AllOf(HasSubstr("the host is missing"), Not(HasSubstr("hunter2"))));
}

INSTANTIATE_TEST_SUITE_P(Db, Cli, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

TEST(CliAlone, help_names_every_command_and_every_option) {
    for (const char* const word : {"help", "--help"}) {
        const Ended ended = run_sluice({word});
        EXPECT_EQ(ended.code, 0);
        for (const char* const part :
             {"sluice migrate plan", "sluice migrate up", "sluice migrate status", "sluice migrate verify",
              "sluice doctor", "--dsn ", "--dsn_file ", "--sources.*.dsn ", "--only ", "--modules.*.folder ",
              "--with_sluice ", "--lock_wait ", "--concurrency ", "--json ", "SLUICE_DSN", "Exit codes"})
            EXPECT_THAT(ended.out, HasSubstr(part));
    }
    EXPECT_EQ(run_sluice({"--version"}).code, 0);
}

TEST(CliAlone, a_file_that_is_not_there_is_made_by_up_alone) {
    const sluice::testing::TempFolder folder;
    const std::string dsn = "sqlite:" + folder.file("none.sqlite3");

    for (const std::vector<std::string>& words : {std::vector<std::string>{"migrate", "plan", "--with_sluice"},
                                                  {"migrate", "status", "--with_sluice"},
                                                  {"doctor"}}) {
        const Ended ended = run_sluice(words, {{"SLUICE_DSN", dsn}});
        EXPECT_EQ(ended.code, 1) << ended.out;
        EXPECT_THAT(ended.out, HasSubstr("there is no file"));
        EXPECT_FALSE(std::ifstream(folder.file("none.sqlite3")).is_open());
    }
}

TEST(CliAlone, the_connection_string_may_stand_in_a_file) {
    const sluice::testing::TempFolder folder;
    std::ofstream(folder.file("dsn")) << "sqlite:" << folder.file("shop.sqlite3") << "\n";

    EXPECT_EQ(run_sluice({"migrate", "up", "--with_sluice", "--dsn_file", folder.file("dsn")}).code, 0);
}

}  // namespace
}  // namespace sluice::contract
