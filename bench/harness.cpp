#include "bench/harness.hpp"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

namespace sluice::bench {
namespace {

constexpr const char* kCongestionControl = "/proc/sys/net/ipv4/tcp_congestion_control";

std::string first_line_of(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

void stay_on(int core) {
    if (core == kAnyCore || std::thread::hardware_concurrency() < 2) return;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    ::sched_setaffinity(0, sizeof cores, &cores);
}

[[noreturn]] void become(const std::vector<std::string>& command, int control, int core) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);  // memory is to be counted in small pages
    stay_on(core);
    ::dup2(control, STDIN_FILENO);
    ::dup2(control, STDOUT_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command)
        words.push_back(const_cast<char*>(word.c_str()));  // execvp does not write to them
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    std::perror(words[0]);
    ::_exit(127);
}

bool loopback_up() {
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return false;
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    const bool up = ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
    ::close(socket);
    return up;
}

}  // namespace

Options parse_options(int count, char** words) {
    Options options;
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word == "--json") {
            options.json = true;
        } else if (word == "--quick") {
            options.quick = true;
        } else {
            fmt::print(stderr, "usage: {} [--json] [--quick]\n", words[0]);
            std::exit(2);
        }
    }
    return options;
}

void Figures::print(const Figure& figure) const {
    if (json_)
        fmt::print("{{\"name\":\"{}\",\"value\":{:.4g},\"unit\":\"{}\",\"n\":{},\"against\":\"{}\"}}\n", figure.name,
                   figure.value, figure.unit, figure.n, figure.against);
    else
        fmt::print("{:<36} {:>10.4g} {:<8} n={:<3} {}\n", figure.name, figure.value, figure.unit, figure.n,
                   figure.against);
    std::fflush(stdout);
}

void Figures::gate(const Figure& figure, double most) {
    print(figure);
    if (figure.value <= most) return;
    missed_ = true;
    fmt::print(stderr, "{}: {:.4g} {}, above {:.4g}; it does not depend on load, so something got worse\n", figure.name,
               figure.value, figure.unit, most);
}

double median(std::vector<double> values) {
    if (values.empty()) throw std::runtime_error("a median of nothing");
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Child Child::self(const std::string& role, int core) {
    return program({"/proc/self/exe", "--role=" + role}, core);
}

Child Child::program(const std::vector<std::string>& command, int core) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("no socketpair");
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error("cannot fork");
    if (process == 0) become(command, ends[1], core);
    ::close(ends[1]);
    return {process, ends[0]};
}

Child::Child(Child&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      control_(std::exchange(other.control_, -1)),
      asked_(std::move(other.asked_)),
      unread_(std::move(other.unread_)) {}

Child::~Child() {
    if (process_ < 0) return;
    ::close(control_);
    ::waitpid(process_, nullptr, 0);
}

void Child::tell(const std::string& line) {
    const std::string whole = line + "\n";
    if (::send(control_, whole.data(), whole.size(), MSG_NOSIGNAL) < 0)
        throw std::runtime_error(fmt::format("a process is gone before '{}'", line));
    asked_ = line;
}

std::string Child::hear() {
    std::size_t end = 0;
    while ((end = unread_.find('\n')) == std::string::npos) {
        char buffer[4096];
        const ssize_t got = ::recv(control_, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw std::runtime_error(fmt::format("a process ended instead of answering '{}'", asked_));
        unread_.append(buffer, static_cast<std::size_t>(got));
    }
    std::string reply = unread_.substr(0, end);
    unread_.erase(0, end + 1);
    if (reply.starts_with("error")) throw std::runtime_error(fmt::format("'{}' answered: {}", asked_, reply));
    return reply;
}

CpuTime Child::cpu() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(process_, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
        throw std::runtime_error("cannot read a process' CPU time");
    std::string fields = first_line_of(fmt::format("/proc/{}/stat", process_));
    fields.erase(0, fields.rfind(')') + 2);  // the name may hold spaces; `state` comes next
    std::istringstream words(fields);
    std::string skipped;
    for (int i = 0; i < 11; ++i)
        words >> skipped;
    double user_ticks = 0;
    words >> user_ticks;
    return {static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9,
            user_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK))};
}

std::size_t Child::anonymous_bytes() const {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", process_));
    std::string word;
    std::size_t kilobytes = 0;
    while (file >> word)
        if (word == "Anonymous:" && file >> kilobytes) return kilobytes * 1024;
    throw std::runtime_error("cannot read a process' memory");
}

bool read_line(std::string& line) {
    line.clear();
    char byte = 0;
    while (true) {
        const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        if (byte == '\n') return true;
        line += byte;
    }
}

void answer(std::string_view line) {
    std::string whole(line);
    whole += '\n';
    std::string_view rest = whole;
    while (!rest.empty()) {
        const ssize_t put = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) std::_Exit(1);
        rest.remove_prefix(static_cast<std::size_t>(put));
    }
}

std::string private_network() {
    if (::unshare(CLONE_NEWNET) == 0) {
        if (!loopback_up()) throw std::runtime_error("a network namespace without loopback");
        std::ofstream(kCongestionControl) << "reno";
        return "private, " + first_line_of(kCongestionControl);
    }
    return "shared, " + first_line_of(kCongestionControl);
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void print_state(std::string_view when, std::string_view network) {
    fmt::print(stderr, "{}: load {}, {} cores, network {}\n", when, first_line_of("/proc/loadavg"),
               std::thread::hardware_concurrency(), network);
}

}  // namespace sluice::bench
