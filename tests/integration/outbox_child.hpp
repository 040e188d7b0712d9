// The program that the outbox's kill test kills: producers, a transactional and a leased handler on one file.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::outbox_tests {

/// Files of one run. `database` has, besides the outbox's tables, `placed` (what producers committed, in the unit of
/// the message) and `applied` (what the transactional handler did). `letters` gets a line
/// "life lane sequence key number" from the leased handler for every message in its hands.
struct RunFiles {
    std::string database;
    std::string letters;
};

/// Publishes until it is killed and writes a line "key number" to its standard output for every message whose unit was
/// acknowledged. Answers only when something went wrong.
int run_outbox_child(const RunFiles& files, std::uint64_t life);

/// Publishes nothing: delivers what is left and ends. Answers 0 when nothing is left.
int drain_outbox(const RunFiles& files, std::uint64_t life);

}  // namespace sluice::outbox_tests
