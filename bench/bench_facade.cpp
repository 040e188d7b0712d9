// What the facade costs over the plain C interfaces: CPU of this process per statement, the same statement, the same
// run. `facade.vs_libpq`, `facade.vs_libpq_pipeline`, `facade.vs_libmariadb`, `facade.vs_sqlite3`,
// `facade.vs_sqlite3_batch`. Where a figure is above its target, the remarks beside it say where the CPU goes: in the
// kernel or outside, and how often a thread slept.
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "bench/facade_work.hpp"
#include "bench/harness.hpp"
#include "sluice/core/log.hpp"
#include "sluice/core/metrics.hpp"
#include "sluice/db/mariadb/database.hpp"
#include "sluice/db/postgres/database.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/shard.hpp"
#include "tests/servers/own_server.hpp"

namespace {

using namespace sluice;

/// Per statement.
struct Cost {
    double cpu_us = 0;
    double kernel_us = 0;
    double sleeps = 0;
};

struct ReadKind {
    std::string name;
    int statements = 0;
    bench::Read read;
    std::vector<Cost> rounds;
};

double us_of(timeval time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

Cost cost_of(const ReadKind& kind, std::int64_t expected) {
    rusage before{};
    rusage after{};
    getrusage(RUSAGE_SELF, &before);
    const std::int64_t sum = kind.read(kind.statements);
    getrusage(RUSAGE_SELF, &after);
    if (sum != expected) throw std::runtime_error(fmt::format("{} read something else", kind.name));
    const double count = kind.statements;
    Cost cost;
    cost.kernel_us = (us_of(after.ru_stime) - us_of(before.ru_stime)) / count;
    cost.cpu_us = cost.kernel_us + (us_of(after.ru_utime) - us_of(before.ru_utime)) / count;
    cost.sleeps = static_cast<double>(after.ru_nvcsw - before.ru_nvcsw) / count;
    return cost;
}

std::int64_t expected_sum(int count) {
    std::int64_t sum = 0;
    for (int i = 0; i < count; ++i)
        sum += bench::key_of(i) + static_cast<std::int64_t>(fmt::format("article number {}", bench::key_of(i)).size());
    return sum;
}

double median_cost(const ReadKind& kind, double Cost::* member) {
    std::vector<double> values;
    for (const Cost& round : kind.rounds)
        values.push_back(round.*member);
    return bench::median(std::move(values));
}

void print_ratio(const bench::Figures& figures, const std::string& name, const ReadKind& ours, const ReadKind& plain) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.rounds.size(); ++i)
        ratios.push_back(ours.rounds[i].cpu_us / plain.rounds[i].cpu_us);
    figures.print({name, bench::median(ratios), "ratio", ratios.size(), plain.name});
}

void print_remarks(const bench::Figures& figures, const ReadKind& kind) {
    const std::size_t n = kind.rounds.size();
    figures.print({kind.name + "_cpu_us", median_cost(kind, &Cost::cpu_us), "us", n, ""});
    figures.print({kind.name + "_kernel_us", median_cost(kind, &Cost::kernel_us), "us", n, ""});
    figures.print({kind.name + "_sleeps", median_cost(kind, &Cost::sleeps), "per statement", n, ""});
}

/// The databases, filled, and everything that is measured.
class FacadeBench {
public:
    explicit FacadeBench(int statements) {
        shards_.start();
        db::postgres::Settings server;
        server.name = "bench";
        server.dsn = server_.address("postgres.app");
        postgres_ = db::postgres::Database::open(server, {}, metrics_);
        db::sqlite::Settings file;
        file.name = "bench";
        file.path = folder_.path + "/bench.sqlite3";
        sqlite_ = db::sqlite::Database::open(file, {}, metrics_);
        db::mariadb::Settings second;
        second.name = "bench";
        second.dsn = mariadb_server_.address("mariadb.app");
        mariadb_ = db::mariadb::Database::open(second, {}, metrics_);
        wait(bench::make_articles(*postgres_));
        wait(bench::make_articles(*mariadb_));
        wait(bench::make_articles(*sqlite_));
        const auto facade = [this](db::DataSource& source) {
            return [this, &source](int count) { return wait(bench::read_through_facade(source, count)); };
        };
        const auto batches = [this](db::DataSource& source) {
            return [this, &source](int count) { return wait(bench::read_in_batches(source, count)); };
        };
        const std::string address = server.dsn;
        const std::string path = file.path;
        const std::string mariadb = second.dsn;
        kinds = {
            {"facade.postgres", statements, facade(*postgres_), {}},
            {"facade.libpq", statements, bench::read_by_libpq(address), {}},
            {"facade.postgres_batch", statements, batches(*postgres_), {}},
            {"facade.libpq_pipeline", statements, bench::read_by_libpq_pipeline(address), {}},
            {"facade.sqlite", statements, facade(*sqlite_), {}},
            {"facade.sqlite_batch", statements * 4, batches(*sqlite_), {}},
            {"facade.mariadb", statements, facade(*mariadb_), {}},
            {"facade.libmariadb", statements, bench::read_by_mariadb(mariadb), {}},
            {"facade.sqlite3", statements * 4, bench::read_by_sqlite(path), {}},
        };
    }
    ~FacadeBench() {
        kinds.clear();  // their connections, before the servers
        wait(postgres_->close());
        wait(mariadb_->close());
        wait(sqlite_->close());
        shards_.stop();
    }
    FacadeBench(const FacadeBench&) = delete;
    FacadeBench& operator=(const FacadeBench&) = delete;

    void round() {
        for (ReadKind& kind : kinds)
            kind.rounds.push_back(cost_of(kind, expected_sum(kind.statements)));
    }

    std::vector<ReadKind> kinds;

private:
    struct Folder {
        Folder() {
            std::string pattern = (std::filesystem::temp_directory_path() / "bench_facade_XXXXXX").string();
            if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
            path = pattern;
        }
        ~Folder() {
            std::error_code ignored;
            std::filesystem::remove_all(path, ignored);
        }
        std::string path;
    };

    template <class T>
    T wait(db::Task<T> task) {
        return runtime::block_on(shards_.at(0), std::move(task));
    }

    Folder folder_;
    servers::OwnServer server_{"postgres"};
    servers::OwnServer mariadb_server_{"mariadb"};
    runtime::ShardGroup shards_{1};
    core::Metrics metrics_;
    std::shared_ptr<db::DataSource> postgres_;
    std::shared_ptr<db::DataSource> mariadb_;
    std::shared_ptr<db::DataSource> sqlite_;
};

}  // namespace

int main(int count, char** words) {
    const bench::Options options = bench::parse_options(count, words);
    const int rounds = options.quick ? 3 : 7;
    FacadeBench all(options.quick ? 1'000 : 20'000);
    bench::print_state("before", "loopback");
    all.round();  // connections, prepared statements and caches are made
    for (ReadKind& kind : all.kinds)
        kind.rounds.clear();
    for (int i = 0; i < rounds; ++i)
        all.round();
    bench::print_state("after", "loopback");
    const bench::Figures figures(options);
    print_ratio(figures, "facade.vs_libpq", all.kinds[0], all.kinds[1]);
    print_ratio(figures, "facade.vs_libpq_pipeline", all.kinds[2], all.kinds[3]);
    print_ratio(figures, "facade.vs_sqlite3", all.kinds[4], all.kinds[8]);
    print_ratio(figures, "facade.vs_sqlite3_batch", all.kinds[5], all.kinds[8]);
    print_ratio(figures, "facade.vs_libmariadb", all.kinds[6], all.kinds[7]);
    for (const ReadKind& kind : all.kinds)
        print_remarks(figures, kind);
    return figures.exit_code();
}
