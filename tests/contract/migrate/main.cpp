// Runs migrations on every database; as `--migrate-child`, it is another program that does.
#include <cstdlib>
#include <string>

#include "child.hpp"

int main(int count, char** words) {
    if (count == 6 && std::string(words[1]) == "--migrate-child")
        return sluice::contract::run_migrate_child(words[2], words[3], std::atoi(words[4]), words[5]);
    ::testing::InitGoogleTest(&count, words);
    return RUN_ALL_TESTS();
}
