#include "sluice/realtime/protocol/commands.hpp"

#include <gtest/gtest.h>

namespace sluice::realtime::protocol {
namespace {

CommandError error_of(std::string_view text) {
    auto parsed = parse_command(text);
    return parsed ? CommandError{"parsed", ErrorCode::internal, "parsed"} : parsed.error();
}

TEST(CommandsTest, a_subscription_names_its_channel_and_may_name_a_position) {
    const auto fresh = parse_command(R"({"type":"subscribe","id":1,"channel":"projection/a/b"})");
    ASSERT_TRUE(fresh);
    const auto& plain = std::get<Subscribe>(*fresh);
    EXPECT_EQ(plain.id, "1");
    EXPECT_EQ(plain.channel, "projection/a/b");
    EXPECT_FALSE(plain.from);
    const auto resumed =
        parse_command(R"({"type":"subscribe","id":"x\"y","channel":"c/d","epoch":"12","version":9007199254740991})");
    ASSERT_TRUE(resumed);
    EXPECT_EQ(std::get<Subscribe>(*resumed).id, R"("x\"y")");
    EXPECT_EQ(std::get<Subscribe>(*resumed).from->epoch, "12");
    EXPECT_EQ(std::get<Subscribe>(*resumed).from->version.value(), core::kLargestVersion);
}

TEST(CommandsTest, every_command_is_understood) {
    EXPECT_TRUE(std::holds_alternative<Pong>(*parse_command(R"({"type":"pong"})")));
    EXPECT_TRUE(
        std::holds_alternative<Unsubscribe>(*parse_command(R"({"type":"unsubscribe","id":2,"channel":"a/b"})")));
    EXPECT_TRUE(std::holds_alternative<Refresh>(*parse_command(R"({"type":"refresh","id":2,"token":"t"})")));
    const auto event = std::get<ClientEvent>(
        *parse_command(R"({"type":"event","channel":"a/b","event":"typing","data":{"x": [1, 2.50]}})"));
    EXPECT_EQ(event.data_json, R"({"x":[1,2.50]})");
    EXPECT_EQ(event.id, "");
    const auto hello = std::get<Hello>(
        *parse_command(R"({"type":"hello","resume":[{"channel":"a/b","epoch":"1","version":2},{"channel":"c/d"}]})"));
    ASSERT_EQ(hello.resume.size(), 2u);
    EXPECT_EQ(hello.resume[0].from->version, core::Version(2));
    EXPECT_FALSE(hello.resume[1].from);
}

TEST(CommandsTest, unknown_members_are_ignored_and_unknown_types_are_not) {
    EXPECT_TRUE(parse_command(R"({"type":"pong","later":{"version":1}})"));
    const CommandError error = error_of(R"({"type":"subscibe","id":7})");
    EXPECT_EQ(error.id, "7");
    EXPECT_EQ(error.code, ErrorCode::bad_request);
    EXPECT_NE(error.message.find("unknown type"), std::string::npos);
}

TEST(CommandsTest, each_fault_is_named_and_keeps_the_id_if_there_was_one) {
    const std::vector<std::pair<std::string, std::string>> table{
        {R"({"type":"subscribe","channel":"a/b"})", "subscribe needs an id"},
        {R"({"type":"subscribe","id":1})", "channel is missing"},
        {R"({"type":"subscribe","id":1,"channel":7})", "channel has to be a string"},
        {R"({"type":"subscribe","id":1,"channel":""})", "channel has to have 1 to 2048 bytes"},
        {R"({"type":"subscribe","id":-1,"channel":"a/b"})",
         "id has to be a number from 0 to 2147483648 or a string of at most 64 bytes"},
        {R"({"type":"subscribe","id":2147483649,"channel":"a/b"})", "id has to be a number from 0 to 2147483648"},
        {R"({"type":"subscribe","id":1.5,"channel":"a/b"})", "id has to be a number"},
        {R"({"type":"subscribe","id":null,"channel":"a/b"})", "id has to be a number"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","epoch":"1"})", "epoch and version come together"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","version":1})", "epoch and version come together"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","epoch":1,"version":1})", "epoch has to be a string"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","epoch":"1","version":-1})", "version has to be an integer"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","epoch":"1","version":"1"})", "version has to be an integer"},
        {R"({"type":"subscribe","id":1,"channel":"a/b","epoch":"1","version":9007199254740992})", "beyond 2^53-1"},
        {R"({"type":"event","channel":"a/b","data":1})", "event is missing"},
        {R"({"type":"hello","resume":{}})", "resume has to be an array"},
        {R"({"type":"hello","resume":[{"epoch":"1"}]})", "resume: channel is missing"},
        {R"({"id":1})", "type is missing"},
        {R"({"type":1})", "type has to be a string"},
        {R"([])", "a message is a JSON object"},
        {R"({"type":"pong","type":"pong"})", "not a JSON message"},
        {"", "not a JSON message"},
        {"{\"type\":\"pong\"} x", "not a JSON message"},
        {R"({"type":"pong","deep":)" + std::string(100'000, '[') + "}", "not a JSON message"},
    };
    for (const auto& [text, message] : table) {
        const CommandError error = error_of(text);
        EXPECT_NE(error.message.find(message), std::string::npos) << text.substr(0, 80) << " said: " << error.message;
        EXPECT_EQ(error.code, ErrorCode::bad_request);
    }
    EXPECT_EQ(error_of(R"({"type":"subscribe","id":"mine"})").id, R"("mine")");
}

TEST(CommandsTest, an_id_of_a_string_may_have_64_bytes) {
    EXPECT_TRUE(parse_command(R"({"type":"refresh","id":")" + std::string(64, 'i') + "\"}"));
    EXPECT_FALSE(parse_command(R"({"type":"refresh","id":")" + std::string(65, 'i') + "\"}"));
}

TEST(CommandsTest, a_gateway_event_has_a_name_and_data) {
    const auto event = parse_gateway_event(R"({"event":"say","data":{"text":"hi"}})");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->event, "say");
    EXPECT_EQ(event->data_json, R"({"text":"hi"})");
    EXPECT_EQ(parse_gateway_event(R"({"event":"say"})")->data_json, "null");
    EXPECT_FALSE(parse_gateway_event(R"({"data":1})"));
}

}  // namespace
}  // namespace sluice::realtime::protocol
