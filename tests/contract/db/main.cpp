// Runs the contract on every driver and ends with the cases run and skipped per database.
#include <cstdlib>
#include <map>
#include <string>

#include <fmt/format.h>

#include "driver.hpp"

namespace {

/// A case's name ends in "/<driver>".
class CountPerDriver final : public ::testing::EmptyTestEventListener {
    void OnTestEnd(const ::testing::TestInfo& info) override {
        const std::string name = info.name();
        Count& count = counts_[name.substr(name.find_last_of('/') + 1)];
        ++(info.result()->Skipped() ? count.skipped : count.run);
    }
    void OnTestProgramEnd(const ::testing::UnitTest&) override {
        for (const auto& [driver, count] : counts_) {
            fmt::print("{}: {} cases run, {} skipped\n", driver, count.run, count.skipped);
        }
    }
    struct Count {
        int run = 0;
        int skipped = 0;
    };
    std::map<std::string, Count> counts_;
};

}  // namespace

int main(int count, char** words) {
    if (count == 5 && std::string(words[1]) == "--ack-child") {
        return sluice::contract::run_ack_child(words[2], words[3], std::atoll(words[4]));
    }
    ::testing::InitGoogleTest(&count, words);
    ::testing::UnitTest::GetInstance()->listeners().Append(new CountPerDriver);  // owned by the list
    return RUN_ALL_TESTS();
}
