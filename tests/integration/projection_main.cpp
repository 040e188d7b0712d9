// The test program, which is also the program that the kill test kills.
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include "projection_shop.hpp"

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "--child")
        return sluice::projection_tests::run_projection_child(argv[2], std::strtoull(argv[3], nullptr, 10));
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
