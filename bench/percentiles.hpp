// Exact percentiles of the latencies of one run: a run has few enough to keep them all.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace sluice::bench {

class Percentiles {
public:
    void add(std::chrono::nanoseconds latency) { values_.push_back(static_cast<double>(latency.count()) * 1e-6); }
    [[nodiscard]] std::size_t count() const noexcept { return values_.size(); }
    /// In ms; `share` from 0 to 1.
    [[nodiscard]] double at(double share) {
        if (values_.empty()) throw std::runtime_error("percentiles of nothing");
        const auto index = static_cast<std::size_t>(share * static_cast<double>(values_.size() - 1));
        std::nth_element(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(index), values_.end());
        return values_[index];
    }

private:
    std::vector<double> values_;
};

}  // namespace sluice::bench
