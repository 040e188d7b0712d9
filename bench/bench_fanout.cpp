// Fan-out through the hub against the floor (one bare `send` per member) and Node's `ws`, and what a connection costs:
// `fanout.*`, `idle_connection.bytes`, `subscription.bytes`, `accept.cpu_us`. docs/benchmarks.md explains each.
//
// Every server is a process of its own on the first core, with a client process of its own on the second; CPU is the
// server process' time, kernel included. Rounds run all servers one after another; a ratio is within its round.
#include <exception>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "bench/fanout_servers.hpp"
#include "bench/harness.hpp"
#include "bench/swarm.hpp"

namespace {

using namespace sluice::bench;

constexpr std::size_t kFramePayload = 128;  // of a frame to a member
constexpr std::size_t kFrame = 132;         // with its header
constexpr std::size_t kEventEnvelope = 21;  // {"event":"m","data":…}
constexpr std::size_t kRooms = 20;

struct Scale {
    std::size_t rounds = 7;
    std::size_t members = 5'000;
    std::size_t times = 40;
    std::size_t idle = 8'000;
    std::size_t subscribers = 5'000;
};

Scale scale_of(const Options& options) {
    if (options.quick) return {5, 1'000, 15, 4'000, 2'000};
    return {};
}

/// A server with its clients.
class Contestant {
public:
    explicit Contestant(Child server) : server_(std::move(server)), swarm_(Child::self("swarm", kClientCore)) {
        port_ = server_.ask("port");
    }

    void connect(const std::string& path, std::size_t count, std::size_t greetings = 0) {
        swarm_.ask(fmt::format("connect {} {} {} {}", port_, path, count, greetings));
        members_ += count;
    }
    void publish_through(const std::string& path, std::size_t message) {
        swarm_.ask(fmt::format("publisher {} {} {}", port_, path, message));
    }
    void subscribe(std::size_t from, std::size_t to, std::size_t channels) {
        swarm_.ask(fmt::format("subscribe {} {} {}", from, to, channels));
    }

    struct Cost {
        double cpu_us = 0;   ///< per delivery
        double user_us = 0;  ///< the same without the kernel
        double sends = 0;    ///< write calls per member and burst
    };
    /// `times` bursts of `frames` messages, each of which reaches every member `each` times.
    Cost burst(std::size_t times, std::size_t frames, std::size_t each = 1) {
        const CpuTime before = server_.cpu();
        const double sends_before = std::stod(server_.ask("sends"));
        const std::size_t bytes = std::stoul(swarm_.ask(fmt::format("burst {} {} {}", times, frames, each)));
        const double sends = std::stod(server_.ask("sends")) - sends_before;
        const CpuTime after = server_.cpu();
        const std::size_t deliveries = times * frames * each * members_;
        if (bytes != deliveries * kFrame) throw std::runtime_error("frames of another size than the others'");
        const double per_delivery = 1e6 / static_cast<double>(deliveries);
        return {(after.seconds - before.seconds) * per_delivery,
                (after.user_seconds - before.user_seconds) * per_delivery,
                sends / static_cast<double>(times * members_)};
    }

    [[nodiscard]] const Child& server() const noexcept { return server_; }

private:
    Child server_;
    Child swarm_;
    std::string port_;
    std::size_t members_ = 0;
};

Contestant hub() {
    return Contestant(Child::self("hub", kServerCore));
}

struct Deliveries {
    std::vector<double> floor, hub, burst16, burst32, node;  // CPU µs per delivery, a round each
    std::vector<double> user, sends50;

    [[nodiscard]] static double ratio(const std::vector<double>& of, const std::vector<double>& to) {
        std::vector<double> ratios;
        for (std::size_t i = 0; i < of.size(); ++i)
            ratios.push_back(of[i] / to[i]);
        return median(ratios);
    }
};

Deliveries measure_deliveries(const Scale& scale) {
    Contestant floor(Child::self("floor", kServerCore));
    Contestant ours = hub();
    Contestant node(Child::program({"node", SLUICE_BENCH_DIR "/ws_peer.mjs"}, kServerCore));
    const auto fill = [&](Contestant& one, std::size_t message) {
        one.connect("/member", scale.members);
        one.publish_through("/publish", message);
        one.burst(4, 1);
    };
    fill(floor, kFramePayload);
    fill(ours, kFramePayload - kEventEnvelope);
    fill(node, kFramePayload);
    Deliveries measured;
    for (std::size_t round = 0; round < scale.rounds; ++round) {
        measured.floor.push_back(floor.burst(scale.times, 1).cpu_us);
        const Contestant::Cost single = ours.burst(scale.times, 1);
        measured.hub.push_back(single.cpu_us);
        measured.user.push_back(single.user_us);
        measured.burst16.push_back(ours.burst(scale.times, 16).cpu_us);
        measured.burst32.push_back(ours.burst(scale.times, 32).cpu_us);
        measured.sends50.push_back(ours.burst(scale.times / 4, 50).sends);
        measured.node.push_back(node.burst(scale.times / 2, 1).cpu_us);
    }
    return measured;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values)
        sum += value;
    return sum / static_cast<double>(values.size());
}

void bench_deliveries(const Scale& scale, Figures& figures) {
    const Deliveries measured = measure_deliveries(scale);
    const std::size_t n = scale.rounds;
    const std::string floor = "one bare send per member";
    figures.print({"fanout.uncoalesced_vs_floor", Deliveries::ratio(measured.hub, measured.floor), "ratio", n, floor});
    figures.print({"fanout.burst16_vs_floor", Deliveries::ratio(measured.burst16, measured.floor), "ratio", n, floor});
    figures.print({"fanout.burst32_vs_floor", Deliveries::ratio(measured.burst32, measured.floor), "ratio", n, floor});
    figures.gate({"fanout.sends_per_member_burst50", median(measured.sends50), "calls", n, ""}, 2);
    // Over all rounds: a round has too few of the kernel's ticks in user space for a median.
    figures.print({"fanout.user_us_per_delivery", mean(measured.user), "us", n, ""});
    figures.print({"fanout.vs_node_ws", Deliveries::ratio(measured.hub, measured.node), "ratio", n, "Node ws"});
    figures.print({"fanout.hub_us_per_delivery", median(measured.hub), "us", n, ""});
    figures.print({"fanout.floor_us_per_delivery", median(measured.floor), "us", n, ""});
    figures.print({"fanout.node_us_per_delivery", median(measured.node), "us", n, ""});
}

void bench_rooms(const Scale& scale, Figures& figures) {
    constexpr std::size_t kMembers = 500;
    Contestant ours = hub();
    ours.connect("/member20", kMembers);
    ours.publish_through("/publish20", kFramePayload - kEventEnvelope);
    std::vector<double> sends;
    for (std::size_t round = 0; round < scale.rounds; ++round)
        sends.push_back(ours.burst(10, 1, kRooms).sends);
    figures.gate({"fanout.sends_per_turn_20_rooms", median(sends), "calls", scale.rounds, ""}, 1.05);
}

/// Kernel memory of all sockets of the machine's, both ends.
double kernel_bytes() {
    std::ifstream file("/proc/meminfo");
    std::string word;
    double kilobytes = 0;
    while (file >> word)
        if (word == "Slab:" && file >> kilobytes) return kilobytes * 1024;
    return 0;
}

void bench_connections(const Scale& scale, Figures& figures) {
    Contestant ours = hub();
    Contestant bare(Child::self("floor", kServerCore));
    const std::size_t slice = scale.idle / scale.rounds;
    const auto cost = [slice](Contestant& one, const std::string& path, std::size_t greetings) {
        const double start = one.server().cpu().seconds;
        one.connect(path, slice, greetings);
        return (one.server().cpu().seconds - start) * 1e6 / static_cast<double>(slice);
    };
    ours.connect("/live", 1'000, 1);
    const std::size_t before = ours.server().anonymous_bytes();
    const double kernel_before = kernel_bytes();
    std::vector<double> welcomed;
    for (std::size_t round = 0; round < scale.rounds; ++round)
        welcomed.push_back(cost(ours, "/live", 1));
    const auto added = static_cast<double>(slice * scale.rounds);
    const double bytes = static_cast<double>(ours.server().anonymous_bytes() - before) / added;
    figures.gate({"idle_connection.bytes", bytes, "bytes", slice * scale.rounds, ""}, 640);
    figures.print({"idle_connection.kernel_bytes", (kernel_bytes() - kernel_before) / added, "bytes",
                   slice * scale.rounds, "both ends, whole machine"});
    std::vector<double> accepts;
    std::vector<double> floor;
    for (std::size_t round = 0; round < scale.rounds; ++round) {
        floor.push_back(cost(bare, "/idle", 0));
        accepts.push_back(cost(ours, "/idle", 0));
    }
    figures.print({"accept.cpu_us", median(accepts), "us", scale.rounds, ""});
    figures.print({"accept.with_welcome_cpu_us", median(welcomed), "us", scale.rounds, ""});
    figures.print({"accept.vs_floor", Deliveries::ratio(accepts, floor), "ratio", scale.rounds,
                   "accept, recv, send and epoll alone"});
}

void bench_subscriptions(const Scale& scale, Figures& figures) {
    constexpr std::size_t kWarm = 1'000;
    Contestant ours = hub();
    ours.connect("/live", kWarm + scale.subscribers, 1);
    ours.subscribe(0, kWarm, kRooms);
    const std::size_t before = ours.server().anonymous_bytes();
    ours.subscribe(kWarm, kWarm + scale.subscribers, kRooms);
    const std::size_t added = scale.subscribers * kRooms;
    const double bytes = static_cast<double>(ours.server().anonymous_bytes() - before) / static_cast<double>(added);
    figures.gate({"subscription.bytes", bytes, "bytes", added, ""}, 96);
}

int run_role(std::string_view role) {
    if (role == "hub") return run_hub_server();
    if (role == "floor") return run_floor_server();
    return run_swarm();
}

}  // namespace

int main(int count, char** words) {
    constexpr std::string_view kRole = "--role=";
    if (count == 2 && std::string_view(words[1]).starts_with(kRole))
        return run_role(std::string_view(words[1]).substr(kRole.size()));
    const Options options = parse_options(count, words);
    try {
        const std::string network = private_network();
        raise_descriptor_limit();
        print_state("before", network);
        const Scale scale = scale_of(options);
        Figures figures(options);
        bench_deliveries(scale, figures);
        bench_rooms(scale, figures);
        bench_connections(scale, figures);
        bench_subscriptions(scale, figures);
        print_state("after", network);
        return figures.exit_code();
    } catch (const std::exception& error) {
        fmt::print(stderr, "bench_fanout: {}\n", error.what());
        return 1;
    }
}
