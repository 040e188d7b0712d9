// A database of its own for one test, of the kind that this run asks for by SLUICE_TEST_DATABASE: `sqlite` (also when
// it is not set), `postgres` or `mariadb`, on the private servers of tools/servers.
//
//     testing::TestDatabase database;
//     const auto shop = database.open("shop", metrics);       // as often as wanted
//     database.shell("select count(*) from article").output   // what sqlite3, psql or mariadb says
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/data_source.hpp"
#include "sluice/testing/temp_folder.hpp"

namespace sluice::testing {

/// What SLUICE_TEST_DATABASE asks for. Throws std::runtime_error for anything unknown.
[[nodiscard]] db::Dialect test_dialect();
/// "sqlite", "postgres", "mariadb": as in SLUICE_TEST_DATABASE and in migrations' file names.
[[nodiscard]] std::string_view name_of(db::Dialect dialect) noexcept;

struct ShellAnswer {
    int status = 0;      ///< of the database's own program
    std::string output;  ///< rows as `a|b`, one a line; errors too
};

/// Thread-safe, its construction and destruction apart. Not in the library that users link.
class TestDatabase {
public:
    /// An empty one of the kind that the run asks for; close its data sources first. A server's may be one that an
    /// earlier object of this process had.
    TestDatabase() : TestDatabase(test_dialect()) {}
    /// One of this kind, for tests of what only it has.
    explicit TestDatabase(db::Dialect dialect);
    /// One that another process made, by its `dsn`; stays.
    explicit TestDatabase(std::string dsn);
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;

    [[nodiscard]] db::Dialect dialect() const noexcept { return dialect_; }
    /// For db::open, and for another process.
    [[nodiscard]] const std::string& dsn() const noexcept { return dsn_; }
    /// The file of an SQLite database; empty for a server's.
    [[nodiscard]] std::string path() const;

    /// A data source of that name. SQLite: with time limits that a slow build never meets, and without waiting for the
    /// disk (a killed process loses nothing by that).
    [[nodiscard]] std::shared_ptr<db::DataSource> open(std::string name, core::Metrics& metrics,
                                                       core::Logger log = {}) const;
    /// Runs `sql`, one statement or many, in the database's own command-line program: an eye that is not ours.
    [[nodiscard]] ShellAnswer shell(std::string_view sql) const;

private:
    TempFolder folder_;
    db::Dialect dialect_;
    std::string dsn_;
    std::string created_;  // its name on the server; empty: nothing was made
};

}  // namespace sluice::testing
