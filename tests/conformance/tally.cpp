#include "tests/conformance/tally.hpp"

#include <cstdio>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::conformance {
namespace {

class Printer final : public ::testing::Environment {
public:
    void TearDown() override { Tally::instance().print(); }
};

const auto* const kPrinter = ::testing::AddGlobalTestEnvironment(new Printer);  // the framework owns it

}  // namespace

Tally& Tally::instance() {
    static Tally tally;
    return tally;
}

void Tally::count(const std::string& group, bool passed) {
    Line& line = lines_[group];
    ++line.rules;
    if (passed) ++line.passed;
}

void Tally::not_applicable(const std::string& group, std::size_t rules, const std::string& why) {
    lines_[group].absent = rules;
    lines_[group].why = why;
}

void Tally::print() const {
    Line all;
    fmt::print("\n{:<34} {:>6} {:>7}\n", "rules of", "run", "passed");
    for (const auto& [group, line] : lines_) {
        if (line.absent > 0) {
            fmt::print("{:<34} not applicable: {} rules, {}\n", group, line.absent, line.why);
            continue;
        }
        fmt::print("{:<34} {:>6} {:>7}{}\n", group, line.rules, line.passed,
                   line.rules == line.passed ? "" : "   <-- failed");
        all.rules += line.rules;
        all.passed += line.passed;
    }
    fmt::print("{:<34} {:>6} {:>7}\n\n", "all", all.rules, all.passed);
    std::fflush(stdout);
}

}  // namespace sluice::conformance
