// Counts conformance rules by group and prints one table when the program ends.
//
//     Tally::instance().count("WebSocket 6.4", complaint.empty());
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace sluice::conformance {

/// Of one program. Not thread-safe.
class Tally {
public:
    static Tally& instance();

    /// One rule was tried.
    void count(const std::string& group, bool passed);
    /// Rules of a part that the product does not have; said in the table, not counted as tests.
    void not_applicable(const std::string& group, std::size_t rules, const std::string& why);
    void print() const;

private:
    struct Line {
        std::size_t rules = 0;
        std::size_t passed = 0;
        std::size_t absent = 0;
        std::string why;
    };
    std::map<std::string, Line> lines_;
};

}  // namespace sluice::conformance
