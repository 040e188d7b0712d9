#include "sluice/testing/test_database.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sluice/db/open.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/testing/servers.hpp"

namespace sluice::testing {
namespace {

constexpr std::string_view kSqliteScheme = "sqlite:";

/// Runs a program of PATH with `input` and answers what it printed.
ShellAnswer run_program(std::vector<std::string> words, std::vector<std::string> variables, std::string_view input) {
    TempFolder folder;
    const std::string in = folder.file("in");
    const std::string out = folder.file("out");
    std::ofstream(in) << input;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    // The first of two equal names counts.
    std::vector<char*> environment;
    for (std::string& variable : variables)
        environment.push_back(variable.data());
    for (char** inherited = environ; *inherited != nullptr; ++inherited)
        environment.push_back(*inherited);
    environment.push_back(nullptr);
    pid_t child = 0;
    const int failed =
        ::posix_spawnp(&child, words.front().c_str(), &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("cannot run " + words.front() + "; ./dev setup installs it");
    int status = 0;
    ::waitpid(child, &status, 0);
    std::stringstream output;
    output << std::ifstream(out).rdbuf();
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), output.str()};
}

/// The password goes by the environment: others can read the words of a process.
ShellAnswer run_psql(const std::string& dsn, std::string_view sql) {
    const std::size_t user = dsn.find("//") + 2;
    const std::size_t colon = dsn.find(':', user);
    const std::size_t at = dsn.find('@', user);
    const std::string password = dsn.substr(colon + 1, at - colon - 1);
    const std::string place = dsn.substr(0, colon) + dsn.substr(at);
    std::vector<std::string> words{"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", place};
    return run_program(std::move(words), {"PGPASSWORD=" + password, "PGCLIENTENCODING=UTF8"}, sql);
}

std::string new_name() {
    static std::atomic<int> made{0};
    return "test_" + std::to_string(::getpid()) + "_" + std::to_string(++made);
}

db::Dialect dialect_of(const std::string& dsn) {
    return dsn.starts_with(kSqliteScheme) ? db::Dialect::sqlite : db::Dialect::postgres;
}

}  // namespace

db::Dialect test_dialect() {
    const char* const given = std::getenv("SLUICE_TEST_DATABASE");
    const std::string name = given == nullptr ? "sqlite" : given;
    if (name == "sqlite") return db::Dialect::sqlite;
    if (name == "postgres") return db::Dialect::postgres;
    throw std::runtime_error("SLUICE_TEST_DATABASE is '" + name + "'; it may be sqlite or postgres");
}

std::string_view name_of(db::Dialect dialect) noexcept {
    switch (dialect) {
        case db::Dialect::postgres:
            return "postgres";
        case db::Dialect::mariadb:
            return "mariadb";
        default:
            return "sqlite";
    }
}

TestDatabase::TestDatabase(db::Dialect dialect) : dialect_(dialect) {
    if (dialect_ == db::Dialect::sqlite) {
        dsn_ = std::string(kSqliteScheme) + folder_.file("test.sqlite3");
        return;
    }
    const std::string app = server_address("postgres.app");
    created_ = new_name();
    admin_ = server_address("postgres.admin");
    const ShellAnswer made = run_psql(admin_, "create database " + created_ + " owner sluice_app");
    if (made.status != 0) throw std::runtime_error("cannot create a database: " + made.output);
    dsn_ = app.substr(0, app.find_last_of('/') + 1) + created_;
}

TestDatabase::TestDatabase(std::string dsn) : dialect_(dialect_of(dsn)), dsn_(std::move(dsn)) {}

TestDatabase::~TestDatabase() {
    if (admin_.empty()) return;
    try {
        // By force: a failed test leaves connections open.
        const ShellAnswer gone = run_psql(admin_, "drop database " + created_ + " with (force)");
        if (gone.status != 0) std::fputs(gone.output.c_str(), stderr);
    } catch (const std::runtime_error& e) {
        std::fputs(e.what(), stderr);
    }
}

std::string TestDatabase::path() const {
    return dialect_ == db::Dialect::sqlite ? dsn_.substr(kSqliteScheme.size()) : std::string();
}

std::shared_ptr<db::DataSource> TestDatabase::open(std::string name, core::Metrics& metrics, core::Logger log) const {
    if (dialect_ != db::Dialect::sqlite) return db::open(std::move(name), dsn_, std::move(log), metrics);
    db::sqlite::Settings settings;
    settings.name = std::move(name);
    settings.path = path();
    settings.synchronous = db::sqlite::Synchronous::normal;
    settings.hold_limit = settings.stuck_limit = std::chrono::seconds(60);
    return db::sqlite::Database::open(std::move(settings), std::move(log), metrics);
}

ShellAnswer TestDatabase::shell(std::string_view sql) const {
    if (dialect_ != db::Dialect::sqlite) return run_psql(dsn_, sql);
    return run_program({"sqlite3", "-bail", path()}, {}, std::string(".timeout 10000\n") + std::string(sql) + "\n");
}

}  // namespace sluice::testing
