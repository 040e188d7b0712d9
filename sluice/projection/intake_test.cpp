#include "sluice/projection/intake.hpp"

#include <gtest/gtest.h>

#include "sluice/projection/error.hpp"
#include "sluice/projection/internal/test_definitions.hpp"
#include "sluice/projection/key.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::projection {
namespace {

using namespace sample;

outbox::Message stock_message(std::string key, const StockEvent& event) {
    outbox::Message message;
    message.position = core::Position(7);
    message.key = std::move(key);
    message.type = outbox::Codec<StockEvent>::type(event);
    message.payload = outbox::Codec<StockEvent>::encode(event);
    return message;
}

std::vector<FoldEvent> take(const outbox::Message& message, IntakeRules rules) {
    const auto definition = define<StockLevel>();
    return intake(*definition, rules, std::span(&message, 1));
}

TEST(intake, event_gets_the_projections_key) {
    const auto events = take(stock_message("A-1", OrderPlaced{"A-1", 2}), {.mode = Mode::by_lane});
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].keys, std::vector<std::string>{"A-1"});
    EXPECT_EQ(events[0].position.value(), 7);
    EXPECT_EQ(events[0].fault, "");
}

TEST(intake, key_that_is_not_the_messages_key_is_a_fault_by_lane_only) {
    const auto message = stock_message("customer-9", OrderPlaced{"A-1", 2});
    const auto by_lane = take(message, {.mode = Mode::by_lane});
    EXPECT_EQ(by_lane[0].keys, std::vector<std::string>{"customer-9"});
    EXPECT_NE(by_lane[0].fault.find("declare Mode::merged"), std::string::npos);

    const auto merged = take(message, {.mode = Mode::merged});
    EXPECT_EQ(merged[0].keys, std::vector<std::string>{"A-1"});
    EXPECT_EQ(merged[0].fault, "");
}

TEST(intake, type_that_only_the_queue_knows_concerns_nobody) {
    outbox::Message message = stock_message("A-1", OrderPlaced{"A-1", 2});
    message.type = "PriceChanged";
    EXPECT_TRUE(take(message, {.mode = Mode::merged, .ignored_types = {"PriceChanged"}})[0].keys.empty());
    EXPECT_NE(take(message, {})[0].fault.find("PriceChanged"), std::string::npos);
}

TEST(intake, direct_event_with_a_bad_key_is_refused) {
    const auto definition = define<StockLevel>();
    auto event = std::make_unique<const TypedEvent<StockEvent>>(OrderPlaced{"", 1});
    try {
        static_cast<void>(intake_direct(*definition, std::move(event), {}));
        FAIL() << "an empty key was taken";
    } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::bad_event);
        EXPECT_EQ(testing::error_page_complaint("projection::Error", "bad_event", e.what()), "");
        EXPECT_NE(std::string(e.what()).find("projection 'stock_level'"), std::string::npos);
    }
}

TEST(key, is_1_to_512_bytes_of_utf_8_without_nul) {
    using namespace std::string_view_literals;
    EXPECT_EQ(key_defect("A-1"), "");
    EXPECT_EQ(key_defect("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82"), "");
    EXPECT_EQ(key_defect(std::string(512, 'x')), "");
    for (const std::string_view bad :
         {""sv, "a\0b"sv, "\x80"sv, "\xC0\x80"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv, "\xE2\x82"sv, "\xFF"sv})
        EXPECT_NE(key_defect(bad), "") << ::testing::PrintToString(bad);
    EXPECT_NE(key_defect(std::string(513, 'x')), "");
}

}  // namespace
}  // namespace sluice::projection
