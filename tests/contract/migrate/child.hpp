// Another program that migrates the same database: this one, started again.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "../db/driver.hpp"
#include "sluice/migrate/migration.hpp"

namespace sluice::contract {

/// Twelve steps; each makes a table and adds its number to `done`, so that a step that ran twice shows.
[[nodiscard]] std::vector<migrate::Migration> child_steps();

/// What a child can be told to run. "plain": `child_steps`. "counted": one step of seven statements, some of which no
/// transaction can hold; what is in `tally` tells how often each ran. "index": `two_tables`, then such an index.
[[nodiscard]] std::vector<migrate::Migration> steps_named(const std::string& name);

/// Runs steps on the database and ends by SIGKILL when it has written `kill_at` lines to its log (0: never).
class MigrateChild {
public:
    MigrateChild(const Driver& driver, const std::string& location, int kill_at = 0,
                 const std::string& steps = "plain");
    ~MigrateChild();
    MigrateChild(const MigrateChild&) = delete;
    MigrateChild& operator=(const MigrateChild&) = delete;

    /// What it printed: the number of steps that it applied, or its error. Waits for its end.
    std::string output();
    /// Whether SIGKILL ended it. Asked after `output`.
    [[nodiscard]] bool was_killed() const { return killed_; }

private:
    pid_t pid_ = 0;
    int from_child_ = -1;
    bool killed_ = false;
};

/// What `main` does for the words of a child.
int run_migrate_child(const std::string& driver, const std::string& location, int kill_at, const std::string& steps);

}  // namespace sluice::contract
