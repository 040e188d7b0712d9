// The test program, which is also the program that the kill test kills.
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "outbox_child.hpp"

int main(int argc, char** argv) {
    if (argc == 5) {
        const sluice::outbox_tests::RunPlaces places{argv[2], argv[3]};
        const std::uint64_t life = std::strtoull(argv[4], nullptr, 10);
        if (std::string_view(argv[1]) == "--child") return sluice::outbox_tests::run_outbox_child(places, life);
        if (std::string_view(argv[1]) == "--drain") return sluice::outbox_tests::drain_outbox(places, life);
    }
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
