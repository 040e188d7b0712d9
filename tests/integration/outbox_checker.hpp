// Judges what a killed outbox left behind: reads the database with its own command-line program and the lines of the
// leased handler, and knows nothing of the outbox's code.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outbox_child.hpp"
#include "sluice/testing/test_database.hpp"

namespace sluice::outbox_tests {

using KeyAndNumber = std::pair<std::string, std::int64_t>;

/// How many of what; every complaint counted where it belongs.
struct Findings {
    std::int64_t acknowledged = 0;
    std::int64_t messages = 0;
    std::int64_t applied = 0;
    std::int64_t sent = 0;  ///< lines of the leased handler

    std::int64_t lost = 0;      ///< acknowledged and not in the database, or not delivered at the end
    std::int64_t invented = 0;  ///< in the database or delivered, and never committed by a producer
    std::int64_t applied_twice = 0;
    std::int64_t reordered = 0;    ///< against the order of its key
    std::int64_t gaps = 0;         ///< in a lane's sequences, the positions, the ticks, or between cursor and effects
    std::int64_t sent_again = 0;   ///< within the contract: not acknowledged when the process was killed
    std::int64_t sent_beyond = 0;  ///< an acknowledged message again, or twice in one life
    std::vector<std::string> examples;

    void complain(std::int64_t& kind, std::string text);
    [[nodiscard]] bool clean() const noexcept { return examples.empty(); }
};

class OutboxChecker {
public:
    OutboxChecker(const testing::TestDatabase& database, std::string letters)
        : database_(database), letters_(std::move(letters)) {}

    /// A producer was told that this message is committed.
    void acknowledged(KeyAndNumber message) { acknowledged_.insert(std::move(message)); }
    /// The process of `life` is dead: looks at everything, and keeps where the leased cursors stand.
    void look_after(std::uint64_t life);
    /// Nothing is left to deliver: everything has arrived.
    void look_at_the_end();

    [[nodiscard]] const Findings& findings() const noexcept { return findings_; }

private:
    struct Line {
        std::uint64_t life = 0;
        std::int64_t lane = 0;
        std::int64_t sequence = 0;
        KeyAndNumber message;
    };
    using Fields = std::vector<std::string>;
    [[nodiscard]] std::vector<Fields> rows(const std::string& sql) const;
    [[nodiscard]] std::int64_t number_of(const std::string& sql) const;
    void wait_for_the_dead() const;
    [[nodiscard]] bool has_tables() const;
    void read_database();
    void check_producers();
    void check_applied();
    void check_ticks();
    void check_cursors();
    void check_letters(std::uint64_t life);
    void check_line(const Line& line);
    void check_sequences(bool dense);
    [[nodiscard]] std::vector<Line> new_lines();

    const testing::TestDatabase& database_;
    std::string letters_;
    Findings findings_;
    std::set<KeyAndNumber> acknowledged_;
    std::set<KeyAndNumber> placed_;
    std::set<KeyAndNumber> written_;  // as messages
    std::vector<KeyAndNumber> applied_;
    std::map<std::int64_t, std::map<std::int64_t, KeyAndNumber>> by_lane_;  // sequence → message, as delivered
    std::map<KeyAndNumber, std::uint64_t> last_sent_;                       // in which life
    std::map<std::int64_t, std::int64_t> last_of_lane_;                     // in the life being read
    std::map<std::int64_t, std::int64_t> acknowledged_leases_;              // lane → seq, at the death before
    std::uint64_t life_ = 0;
    std::int64_t numbered_ = 0;  // by all ticks
    std::size_t read_bytes_ = 0;
};

}  // namespace sluice::outbox_tests
