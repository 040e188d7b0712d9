// For the module's tests: letters of one of two subscriptions, and their replays.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/internal/test_script.hpp"

namespace sluice::outbox {

/// One lane, two subscriptions: whatever "audit" refuses, "mail" has had already.
class ReplayOnDatabase : public ::testing::Test {
protected:
    void SetUp() override { start(); }
    void start() {
        auto builder = bed.builder();
        builder.queue("orders", lanes(1));
        builder.transactional("orders", "audit", audit.handler(), hasty(3));
        builder.transactional("orders", "mail", mail.handler(), hasty(3));
        bed.start(builder);
    }
    void bury(const std::string& key, const std::string& payload) {
        audit.reject(payload);
        bed.publish("orders", {{key, payload}});
        ASSERT_TRUE(bed.drained());
    }
    LetterReport replay(ReplayPlace place = ReplayPlace::lane_end, DeadLetterFilter filter = {}) {
        LetterOptions options;
        options.actor = "ann";
        return bed.run(bed.letters().replay(std::move(filter), options, place));
    }
    [[nodiscard]] std::vector<std::string> history(std::int64_t letter) {
        std::vector<std::string> lines;
        for (const LetterAudit& line : bed.run(bed.letters().audit(letter)))
            lines.push_back(line.action + "/" + line.actor + "/" + line.detail);
        return lines;
    }
    [[nodiscard]] bool nothing_apart() { return bed.becomes("select count(*) from sluice_parked", 0); }

    LettersBed bed;
    Script& audit = bed.script();
    Script& mail = bed.script();
};

}  // namespace sluice::outbox
