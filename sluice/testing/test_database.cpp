#include "sluice/testing/test_database.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <mutex>
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

/// The parts of `scheme://user:password@host:port/database`, as tools/servers writes it.
struct Address {
    explicit Address(const std::string& dsn) {
        const std::size_t begin = dsn.find("//") + 2;
        const std::size_t colon = dsn.find(':', begin);
        const std::size_t at = dsn.find('@', begin);
        const std::size_t host_end = dsn.find(':', at);
        const std::size_t slash = dsn.find('/', at);
        user = dsn.substr(begin, colon - begin);
        password = dsn.substr(colon + 1, at - colon - 1);
        host = dsn.substr(at + 1, host_end - at - 1);
        port = dsn.substr(host_end + 1, slash - host_end - 1);
        database = dsn.substr(slash + 1);
    }
    std::string user, password, host, port, database;
};

/// The password goes by the environment: others can read the words of a process.
ShellAnswer run_psql(const std::string& dsn, std::string_view sql) {
    const Address to(dsn);
    std::vector<std::string> words{"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"};
    for (const std::string& word : {std::string("-h"), to.host, std::string("-p"), to.port, std::string("-U"), to.user,
                                    std::string("-d"), to.database})
        words.push_back(word);
    return run_program(std::move(words), {"PGPASSWORD=" + to.password, "PGCLIENTENCODING=UTF8"}, sql);
}

/// `line` as the other programs print it: `|` between the fields, nothing for NULL.
std::string with_bars(const std::string& line) {
    std::string made;
    std::stringstream fields(line);
    std::string field;
    for (bool first = true; std::getline(fields, field, '\t'); first = false)
        made += (first ? "" : "|") + (field == "NULL" ? std::string() : field);
    return line.ends_with('\t') ? made + "|" : made;
}

ShellAnswer run_mariadb(const std::string& dsn, std::string_view sql) {
    const Address to(dsn);
    std::vector<std::string> words{"mariadb", "--no-defaults", "--batch", "--raw", "--skip-column-names",
                                   "--default-character-set=utf8mb4", "--protocol=tcp",
                                   // What our driver sets too, so that one text means the same.
                                   "--init-command=set sql_mode = concat(@@sql_mode, ',ANSI_QUOTES,PIPES_AS_CONCAT')"};
    for (const std::string& word : {"--host=" + to.host, "--port=" + to.port, "--user=" + to.user, to.database})
        words.push_back(word);
    ShellAnswer answer = run_program(std::move(words), {"MYSQL_PWD=" + to.password}, sql);
    std::stringstream lines(std::exchange(answer.output, {}));
    for (std::string line; std::getline(lines, line);)
        answer.output += with_bars(line) + "\n";
    return answer;
}

ShellAnswer run_shell(db::Dialect dialect, const std::string& dsn, std::string_view sql) {
    return dialect == db::Dialect::mariadb ? run_mariadb(dsn, sql) : run_psql(dsn, sql);
}

std::string creation_of(const std::string& name, db::Dialect dialect) {
    if (dialect == db::Dialect::postgres) return "create database " + name + " owner sluice_app";
    std::string pattern = name;  // in a grant `_` stands for any character
    for (std::size_t at = pattern.find('_'); at != std::string::npos; at = pattern.find('_', at + 2))
        pattern.insert(at, "\\");
    return "create database " + name + "; grant all privileges on \"" + pattern + "\".* to sluice_app@'127.0.0.1'";
}

/// Empties a database that a test has left. What a failed test left open is ended on PostgreSQL, and fails the next
/// test on MariaDB. On PostgreSQL it runs in that database, where making one takes ten times as long; on MariaDB beside
/// it.
std::string emptying_of(const std::string& name, db::Dialect dialect) {
    if (dialect == db::Dialect::mariadb)
        return "set session lock_wait_timeout = 20; drop database " + name + "; create database " + name;
    return "do $$ begin perform pg_terminate_backend(pid) from pg_stat_activity"
           " where datname = current_database() and pid <> pg_backend_pid(); end $$;"
           " set client_min_messages = warning; drop schema public cascade;"
           " create schema public authorization pg_database_owner; grant usage on schema public to public";
}

std::string with_database(const std::string& address, const std::string& name) {
    return address.substr(0, address.find_last_of('/') + 1) + name;
}

/// What tests of this process have left, by dialect; it ends with the server.
class UsedDatabases {
public:
    static UsedDatabases& of(db::Dialect dialect) {
        static UsedDatabases postgres;
        static UsedDatabases mariadb;
        return dialect == db::Dialect::postgres ? postgres : mariadb;
    }
    /// The name of one; empty: there is none.
    std::string take() {
        const std::lock_guard lock(mutex_);
        if (names_.empty()) return {};
        std::string name = std::move(names_.back());
        names_.pop_back();
        return name;
    }
    void leave(std::string name) {
        const std::lock_guard lock(mutex_);
        names_.push_back(std::move(name));
    }

private:
    std::mutex mutex_;
    std::vector<std::string> names_;
};

std::string new_name() {
    static std::atomic<int> made{0};
    return "test_" + std::to_string(::getpid()) + "_" + std::to_string(++made);
}

db::Dialect dialect_of(const std::string& dsn) {
    if (dsn.starts_with(kSqliteScheme)) return db::Dialect::sqlite;
    return dsn.starts_with("mariadb:") ? db::Dialect::mariadb : db::Dialect::postgres;
}

}  // namespace

db::Dialect test_dialect() {
    const char* const given = std::getenv("SLUICE_TEST_DATABASE");
    const std::string name = given == nullptr ? "sqlite" : given;
    if (name == "sqlite") return db::Dialect::sqlite;
    if (name == "postgres") return db::Dialect::postgres;
    if (name == "mariadb") return db::Dialect::mariadb;
    throw std::runtime_error("SLUICE_TEST_DATABASE is '" + name + "'; it may be sqlite, postgres or mariadb");
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
    const std::string server(name_of(dialect_));
    const std::string app = server_address(server + ".app");
    const std::string admin = server_address(server + ".admin");
    created_ = UsedDatabases::of(dialect_).take();
    const bool anew = created_.empty();
    if (anew) created_ = new_name();
    const bool inside = !anew && dialect_ == db::Dialect::postgres;
    const std::string place = inside ? with_database(admin, created_) : admin;
    const ShellAnswer made =
        run_shell(dialect_, place, anew ? creation_of(created_, dialect_) : emptying_of(created_, dialect_));
    if (made.status != 0) throw std::runtime_error("cannot make an empty database: " + made.output);
    dsn_ = with_database(app, created_);
}

TestDatabase::TestDatabase(std::string dsn) : dialect_(dialect_of(dsn)), dsn_(std::move(dsn)) {}

TestDatabase::~TestDatabase() {
    if (!created_.empty()) UsedDatabases::of(dialect_).leave(std::move(created_));
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
    if (dialect_ != db::Dialect::sqlite) return run_shell(dialect_, dsn_, sql);
    return run_program({"sqlite3", "-bail", path()}, {}, std::string(".timeout 10000\n") + std::string(sql) + "\n");
}

}  // namespace sluice::testing
