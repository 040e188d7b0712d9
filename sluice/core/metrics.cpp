#include "sluice/core/metrics.hpp"

#include <stdexcept>

#include <fmt/format.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace sluice::core {
namespace {

// Prometheus' own messages do not say which series they mean.
template <class Make>
auto& named(const std::string& name, Make make) {
    try {
        return make();
    } catch (const std::exception& error) {
        throw std::invalid_argument(fmt::format("metric '{}': {}", name, error.what()));
    }
}

}  // namespace

void Counter::add(double by) const noexcept {
    if (target_ != nullptr) target_->Increment(by);
}

double Counter::value() const noexcept {
    return target_ == nullptr ? 0 : target_->Value();
}

void Gauge::set(double value) const noexcept {
    if (target_ != nullptr) target_->Set(value);
}

void Gauge::add(double by) const noexcept {
    if (target_ != nullptr) target_->Increment(by);
}

double Gauge::value() const noexcept {
    return target_ == nullptr ? 0 : target_->Value();
}

void Histogram::observe(double value) const noexcept {
    if (target_ != nullptr) target_->Observe(value);
}

const std::vector<double>& latency_buckets() {
    static const std::vector<double> bounds = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                               0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30};
    return bounds;
}

struct Metrics::State {
    prometheus::Registry registry;
};

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
    return Counter(&named(name, [&]() -> prometheus::Counter& {
        return prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry).Add(labels);
    }));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return Gauge(&named(name, [&]() -> prometheus::Gauge& {
        return prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry).Add(labels);
    }));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels,
                             const std::vector<double>& buckets) {
    return Histogram(&named(name, [&]() -> prometheus::Histogram& {
        return prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry).Add(labels, buckets);
    }));
}

std::string Metrics::render() const {
    return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace sluice::core
