// For the module's tests: one subscription on one lane, and the keys that are set aside in it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {

/// One lane, so that whatever goes on does so past the key that waits.
class ParkedOnDatabase : public ::testing::Test {
protected:
    void start(SubscriptionSettings settings = hasty()) {
        auto builder = bed.builder();
        builder.queue("orders", lanes(1)).transactional("orders", "audit", audit.handler(), settings);
        bed.start(builder);
    }
    void restart(SubscriptionSettings settings = hasty()) {
        bed.stop();
        start(settings);
    }
    [[nodiscard]] bool nothing_apart() { return bed.becomes("select count(*) from sluice_parked", 0); }
    std::uint64_t release(const std::string& key, Release how = Release::retry) {
        return bed.run(bed.letters().release("audit", "orders", key, how, "ann"));
    }
    [[nodiscard]] std::vector<ParkedMessages> parked() { return bed.run(bed.letters().parked(std::nullopt)); }

    LettersBed bed;
    Script& audit = bed.script();
};

}  // namespace sluice::outbox
