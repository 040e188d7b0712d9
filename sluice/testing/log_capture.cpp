#include "sluice/testing/log_capture.hpp"

#include <algorithm>

namespace sluice::testing {

void CapturingSink::write(core::LogLevel level, std::string_view logger, std::string_view text) noexcept {
    const std::lock_guard lock(mutex_);
    lines_.push_back(LogLine{level, std::string(logger), std::string(text)});
}

std::vector<LogLine> CapturingSink::lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
}

bool CapturingSink::contains(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(),
                       [part](const LogLine& line) { return line.text.find(part) != std::string::npos; });
}

void CapturingSink::clear() {
    const std::lock_guard lock(mutex_);
    lines_.clear();
}

}  // namespace sluice::testing
