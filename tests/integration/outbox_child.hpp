// The program that the outbox's kill test kills: producers, a transactional and a leased handler on one database.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::outbox_tests {

/// The places of one run. The database, by its `dsn`, has, besides the outbox's tables, `placed` (what producers
/// committed, in the unit of the message) and `applied` (what the transactional handler did). `letters` gets a line
/// "life lane sequence key number" from the leased handler for every message in its hands.
struct RunPlaces {
    std::string dsn;
    std::string letters;
};

/// Publishes until it is killed and writes a line "key number" to its standard output for every message whose unit was
/// acknowledged. Answers only when something went wrong.
int run_outbox_child(const RunPlaces& places, std::uint64_t life);

/// Publishes nothing: delivers what is left and ends. Answers 0 when nothing is left.
int drain_outbox(const RunPlaces& places, std::uint64_t life);

}  // namespace sluice::outbox_tests
