// Counters, gauges and histograms over prometheus-cpp, passed as a dependency.
//
//     core::Metrics metrics;
//     core::Counter sent = metrics.counter("sluice_ws_messages_out_total", "Frames handed to the kernel");
//     sent.add(3);
//     std::string page = metrics.render();      // the text that /metrics answers
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace sluice::core {

using Labels = std::map<std::string, std::string>;

/// Rising total. A copyable handle; a default one counts nothing. Thread-safe, lock-free.
class Counter {
public:
    Counter() = default;
    void add(double by = 1) const noexcept;
    [[nodiscard]] double value() const noexcept;

private:
    friend class Metrics;
    explicit Counter(prometheus::Counter* target) : target_(target) {}
    prometheus::Counter* target_ = nullptr;
};

/// Value that goes both ways. A copyable handle; a default one holds nothing. Thread-safe, lock-free.
class Gauge {
public:
    Gauge() = default;
    void set(double value) const noexcept;
    void add(double by) const noexcept;
    [[nodiscard]] double value() const noexcept;

private:
    friend class Metrics;
    explicit Gauge(prometheus::Gauge* target) : target_(target) {}
    prometheus::Gauge* target_ = nullptr;
};

/// Distribution in fixed buckets. A copyable handle; a default one observes nothing. Thread-safe.
class Histogram {
public:
    Histogram() = default;
    void observe(double value) const noexcept;

private:
    friend class Metrics;
    explicit Histogram(prometheus::Histogram* target) : target_(target) {}
    prometheus::Histogram* target_ = nullptr;
};

/// Upper bounds in seconds from 50 µs to 30 s, for every latency histogram of the library.
[[nodiscard]] const std::vector<double>& latency_buckets();

/// The registry of one program. Asking twice for a name and labels answers the same series; the same name as another
/// type, or a name that Prometheus refuses, is a std::invalid_argument naming it. Thread-safe. Handles must not outlive
/// it.
class Metrics {
public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    [[nodiscard]] Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
    [[nodiscard]] Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    [[nodiscard]] Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {},
                                      const std::vector<double>& buckets = latency_buckets());

    /// All series in Prometheus' text format 0.0.4.
    [[nodiscard]] std::string render() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::core
