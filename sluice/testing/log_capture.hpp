// Log lines as values, for tests that check what an operator would read.
//
//     auto sink = std::make_shared<testing::CapturingSink>();
//     Subject subject(core::Logger(sink, core::LogLevel::debug));
//     EXPECT_TRUE(sink->contains("lane 3 is quarantined"));
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/log.hpp"

namespace sluice::testing {

struct LogLine {
    core::LogLevel level = core::LogLevel::off;
    std::string logger;
    std::string text;
};

/// Keeps every line written to it. Thread-safe.
class CapturingSink final : public core::LogSink {
public:
    void write(core::LogLevel level, std::string_view logger, std::string_view text) noexcept override;

    [[nodiscard]] std::vector<LogLine> lines() const;
    /// Whether any line's text contains `part`.
    [[nodiscard]] bool contains(std::string_view part) const;
    void clear();

private:
    mutable std::mutex mutex_;
    std::vector<LogLine> lines_;
};

}  // namespace sluice::testing
