// What the benchmarks of several processes share: children with a line each way, their CPU time, a private network, and
// figures with gates.
//
//     Child server = Child::self("hub", kServerCore);
//     const std::string port = server.ask("port");
//     const CpuTime before = server.cpu();
//     …
//     figures.print({"fanout.uncoalesced_vs_floor", median(ratios), "ratio", ratios.size(), "one bare send"});
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::bench {

/// Cores, where there are two: whoever is measured has the first for itself.
inline constexpr int kServerCore = 0;
inline constexpr int kClientCore = 1;
inline constexpr int kAnyCore = -1;

struct Options {
    bool json = false;
    bool quick = false;
};
/// Prints the usage and exits with 2 on anything unknown.
[[nodiscard]] Options parse_options(int count, char** words);

struct Figure {
    std::string name;
    double value = 0;
    std::string unit;
    std::size_t n = 0;  ///< measurements that the value is the median of
    std::string against;
};

/// Prints figures; remembers whether one missed a bound that does not depend on the machine's load.
class Figures {
public:
    explicit Figures(const Options& options) : json_(options.json) {}
    void print(const Figure& figure) const;
    /// Prints it, and fails the program if its value is above `most`.
    void gate(const Figure& figure, double most);
    [[nodiscard]] int exit_code() const noexcept { return missed_ ? 1 : 0; }

private:
    bool json_;
    bool missed_ = false;
};

[[nodiscard]] double median(std::vector<double> values);

/// Of a process since it began, all threads, kernel included.
struct CpuTime {
    double seconds = 0;
    double user_seconds = 0;  ///< by the kernel's ticks: exact to about 10 ms
};

/// A process that answers one line for each line it is sent. It ends when the other side closes, which the destructor
/// does and waits for.
class Child {
public:
    /// This program as `role`, on `core` if there are several and it is not kAnyCore.
    [[nodiscard]] static Child self(const std::string& role, int core);
    [[nodiscard]] static Child program(const std::vector<std::string>& command, int core);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    /// The answer to `line`. A child that is gone or answers "error …" is a std::runtime_error.
    std::string ask(const std::string& line) {
        tell(line);
        return hear();
    }
    /// The two halves of `ask`, for children that work at the same time.
    void tell(const std::string& line);
    std::string hear();
    [[nodiscard]] CpuTime cpu() const;
    /// Anonymous memory that is resident.
    [[nodiscard]] std::size_t anonymous_bytes() const;

private:
    Child(pid_t process, int control) noexcept : process_(process), control_(control) {}

    pid_t process_;
    int control_;
    std::string asked_;
    std::string unread_;
};

/// The other side of a Child: the lines that come on standard input, answered on standard output.
[[nodiscard]] bool read_line(std::string& line);
void answer(std::string_view line);

/// A network namespace of our own with congestion control `reno`, so that neither the machine's traffic nor pacing
/// takes part; answers what it got. Needs to be root, does without otherwise.
[[nodiscard]] std::string private_network();
void raise_descriptor_limit();
/// Load and network on standard error: a figure means little without them.
void print_state(std::string_view when, std::string_view network);

}  // namespace sluice::bench
