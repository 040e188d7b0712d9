#include "sluice/outbox/internal/limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::outbox {
namespace {

using ::testing::HasSubstr;

Outgoing good() {
    Outgoing message;
    message.queue = "orders";
    message.key = "A-1";
    message.type = "OrderPlaced";
    message.payload = "{}";
    return message;
}

std::string fault(const Outgoing& message) {
    return fault_of(message, {}).value_or("none");
}

TEST(Limits, names_follow_their_grammar) {
    for (const char* const name : {"a", "orders", "a.b-c_d", "9", "projection.stock_level"})
        EXPECT_EQ(fault_of_name(name), std::nullopt) << name;
    for (const char* const name : {"", ".a", "a-", "a b", "ä", "a/b"})
        EXPECT_TRUE(fault_of_name(name)) << name;
    EXPECT_EQ(fault_of_name(std::string(255, 'a')), std::nullopt);
    EXPECT_TRUE(fault_of_name(std::string(256, 'a')));
}

TEST(Limits, a_message_within_them_is_taken) {
    Outgoing message = good();
    message.key = std::string(512, 'k');
    message.headers["traceid"] = "日本";
    message.trace = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";

    EXPECT_EQ(fault(message), "none");
}

TEST(Limits, what_is_wrong_is_named_with_its_limit) {
    Outgoing queue = good();
    queue.queue = "no such/queue";
    Outgoing type = good();
    type.type = "Bestellung\xc3\xa4";
    Outgoing key = good();
    key.key = std::string(513, 'k');
    Outgoing torn = good();
    torn.key = "\xff";
    Outgoing payload = good();
    payload.payload = std::string((1 << 20) + 1, 'x');
    Outgoing trace = good();
    trace.trace = "00-xyz";
    Outgoing own = good();
    own.headers["sluice-only"] = "audit";
    Outgoing large = good();
    large.headers["a"] = std::string(20'000, 'x');

    EXPECT_THAT(fault(queue), HasSubstr("queue 'no such/queue' is not"));
    EXPECT_THAT(fault(type), HasSubstr("1 to 255 bytes of printable ASCII"));
    EXPECT_THAT(fault(key), HasSubstr("a key of 513 bytes is not at most 512"));
    EXPECT_THAT(fault(torn), HasSubstr("UTF-8"));
    EXPECT_THAT(fault(payload), HasSubstr("a payload of 1048577 bytes exceeds the limit of 1048576"));
    EXPECT_THAT(fault(trace), HasSubstr("traceparent"));
    EXPECT_THAT(fault(own), HasSubstr("the outbox's own"));
    EXPECT_THAT(fault(large), HasSubstr("exceed the limit of 16384"));
}

TEST(Limits, a_traceparent_is_kept_in_25_bytes) {
    const std::string text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    const std::optional<std::string> packed = pack_trace(text);

    ASSERT_TRUE(packed);
    EXPECT_EQ(packed->size(), 25U);
    EXPECT_EQ(unpack_trace(*packed), text);
    EXPECT_EQ(pack_trace("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), std::nullopt);
    EXPECT_EQ(pack_trace("00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), std::nullopt);
    EXPECT_EQ(unpack_trace("short"), "");
}

}  // namespace
}  // namespace sluice::outbox
