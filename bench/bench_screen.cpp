// From a commit to every screen: `screen.p99_over_commit_ms`. An App (SQLite, synchronous = FULL) commits 1,000 events
// a second over 100 keys, each watched by 10 of 1,000 subscribers; latency runs from the moment an event was due to the
// moment a subscriber has read its frame. docs/benchmarks.md.
#include <stdlib.h>

#include <exception>
#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/harness.hpp"
#include "bench/screen_server.hpp"

namespace {

using namespace sluice::bench;

constexpr int kSubscribers = 1'000;
constexpr int kRate = 1'000;
constexpr std::string_view kRole = "--role=";
constexpr std::string_view kServerRole = "server:";  // then its folder

/// Beside the program's working directory: a temporary folder may live in memory, where nothing is synchronised.
class Folder {
public:
    Folder() {
        std::string pattern = "bench_screen_XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for the tenant's file");
        path_ = std::filesystem::absolute(pattern);
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

struct ScreenRun {
    double commit_p50 = 0, commit_p99 = 0;
    double screen_p50 = 0, screen_p99 = 0, screen_p999 = 0;
};

ScreenRun run_once(Child& server, Child& client, int seconds) {
    const int deliveries = kRate * seconds * (kSubscribers / kScreenKeys);
    client.tell(fmt::format("expect {}", deliveries));
    std::istringstream commits(server.ask(fmt::format("run {} {}", kRate, seconds)));
    std::istringstream screens(client.hear());
    ScreenRun run;
    int events = 0;
    commits >> events >> run.commit_p50 >> run.commit_p99;
    screens >> run.screen_p50 >> run.screen_p99 >> run.screen_p999;
    if (events != kRate * seconds) throw std::runtime_error("not every event was committed");
    return run;
}

void print_runs(const std::vector<ScreenRun>& runs, const Figures& figures) {
    const auto of = [&](auto value) {
        std::vector<double> values;
        for (const ScreenRun& run : runs)
            values.push_back(value(run));
        return median(values);
    };
    const std::size_t n = runs.size();
    figures.print({"screen.p99_over_commit_ms", of([](const ScreenRun& r) { return r.screen_p99 - 2 * r.commit_p99; }),
                   "ms", n, "twice the commits' p99"});
    figures.print({"screen.p50_ms", of([](const ScreenRun& r) { return r.screen_p50; }), "ms", n, ""});
    figures.print({"screen.p99_ms", of([](const ScreenRun& r) { return r.screen_p99; }), "ms", n, ""});
    figures.print({"screen.p999_ms", of([](const ScreenRun& r) { return r.screen_p999; }), "ms", n, ""});
    figures.print({"screen.commit_p50_ms", of([](const ScreenRun& r) { return r.commit_p50; }), "ms", n, ""});
    figures.print({"screen.commit_p99_ms", of([](const ScreenRun& r) { return r.commit_p99; }), "ms", n, ""});
}

void measure(const Options& options) {
    const std::string network = private_network();
    const int rounds = options.quick ? 5 : 7;
    const int seconds = options.quick ? 3 : 10;
    print_state("before", network);
    const Folder folder;
    Child server = Child::self(std::string(kServerRole) + folder.path(), kAnyCore);
    Child client = Child::self("client", kAnyCore);
    const std::string port = server.ask("port");
    client.ask(fmt::format("connect {} {}", port, kSubscribers));
    run_once(server, client, 1);
    std::vector<ScreenRun> runs;
    for (int round = 0; round < rounds; ++round)
        runs.push_back(run_once(server, client, seconds));
    print_runs(runs, Figures(options));
    print_state("after", network);
}

}  // namespace

int main(int count, char** words) {
    const std::string_view first = count == 2 ? words[1] : "";
    if (first.starts_with(kRole)) {
        const std::string_view role = first.substr(kRole.size());
        if (!role.starts_with(kServerRole)) return run_screen_client();
        return run_screen_server(std::string(role.substr(kServerRole.size())));
    }
    const Options options = parse_options(count, words);
    try {
        measure(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_screen: {}\n", error.what());
        return 1;
    }
    return 0;
}
