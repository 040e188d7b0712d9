#include "sluice/realtime/ws/handshake.hpp"

#include <gtest/gtest.h>

namespace sluice::realtime::ws {
namespace {

std::vector<HeaderView> good_headers() {
    return {{"Host", "shop.example"},        {"Upgrade", "websocket"},
            {"Connection", "Upgrade"},       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
            {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Protocol", "chat, sluice.v1.json"}};
}

const HandshakeRules kRules{.protocols = {kSluiceV1}};

std::expected<Accepted, Refused> with(std::string_view name, std::string_view value) {
    auto headers = good_headers();
    for (HeaderView& header : headers)
        if (header.name == name) header.value = value;
    return evaluate({"GET", 1, headers}, kRules);
}

std::expected<Accepted, Refused> with_extra(std::string_view name, std::string_view value) {
    auto headers = good_headers();
    headers.push_back({name, value});
    return evaluate({"GET", 1, headers}, kRules);
}

std::expected<Accepted, Refused> without(std::string_view name) {
    auto headers = good_headers();
    std::erase_if(headers, [&](const HeaderView& header) { return header.name == name; });
    return evaluate({"GET", 1, headers}, kRules);
}

TEST(HandshakeTest, answers_the_key_of_the_rfc) {
    const auto headers = good_headers();
    const auto accepted = evaluate({"GET", 1, headers}, kRules);
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_EQ(accepted->protocol, "sluice.v1.json");
    EXPECT_EQ(response_head(*accepted),
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sluice.v1.json\r\n\r\n");
}

TEST(HandshakeTest, tokens_are_found_in_lists_in_any_case) {
    EXPECT_TRUE(with("Upgrade", "h2c, WebSocket"));
    EXPECT_TRUE(with("Connection", "keep-alive , UPGRADE"));
    EXPECT_EQ(with("Connection", "keep-alive").error().status, 400u);
    EXPECT_EQ(with("Connection", "upgraded").error().status, 400u);
}

TEST(HandshakeTest, only_a_get_of_http_1_1_without_a_body_is_taken) {
    const auto headers = good_headers();
    EXPECT_EQ(evaluate({"POST", 1, headers}, kRules).error().status, 405u);
    EXPECT_EQ(evaluate({"get", 1, headers}, kRules).error().status, 405u);
    EXPECT_EQ(evaluate({"GET", 0, headers}, kRules).error().status, 400u);
    EXPECT_EQ(with_extra("Content-Length", "5").error().status, 400u);
    EXPECT_EQ(with_extra("Transfer-Encoding", "chunked").error().status, 400u);
    EXPECT_TRUE(with_extra("Content-Length", "0"));
}

TEST(HandshakeTest, a_host_is_needed_exactly_once) {
    EXPECT_EQ(without("Host").error().status, 400u);
    EXPECT_EQ(with("Host", " ").error().status, 400u);
    EXPECT_EQ(with_extra("host", "other.example").error().status, 400u);
}

TEST(HandshakeTest, a_request_without_upgrade_is_told_what_to_send) {
    const auto refused = without("Upgrade");
    EXPECT_EQ(refused.error().status, 426u);
    EXPECT_EQ(refused.error().headers.front(), (std::pair<std::string, std::string>("Upgrade", "websocket")));
}

TEST(HandshakeTest, another_version_is_answered_with_ours) {
    for (const char* version : {"8", "0", "14", "013", "13, 8", "thirteen", ""}) {
        const auto refused = with("Sec-WebSocket-Version", version);
        ASSERT_FALSE(refused) << version;
        EXPECT_EQ(refused.error().status, 426u);
        const std::vector<std::pair<std::string, std::string>> expected{
            {"Sec-WebSocket-Version", "13"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"}};
        EXPECT_EQ(refused.error().headers, expected) << "a 426 names the protocol to upgrade to";
    }
    EXPECT_EQ(without("Sec-WebSocket-Version").error().status, 400u);
    EXPECT_EQ(with_extra("Sec-WebSocket-Version", "13").error().status, 400u);
}

TEST(HandshakeTest, the_key_is_the_base64_of_sixteen_bytes_once) {
    for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
                            "dGhlIHNhbXBsZSBub25jZR==", "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQAA",
                            "dGhlIHNhbXBsZSBub25jZQ===", "AAAA"})
        EXPECT_EQ(with("Sec-WebSocket-Key", key).error().status, 400u) << key;
    EXPECT_EQ(without("Sec-WebSocket-Key").error().status, 400u);
    EXPECT_EQ(with_extra("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").error().status, 400u);
}

TEST(HandshakeTest, a_protocol_is_chosen_from_the_offer_only) {
    EXPECT_EQ(with("Sec-WebSocket-Protocol", "sluice.v1.json")->protocol, "sluice.v1.json");
    EXPECT_EQ(with("Sec-WebSocket-Protocol", "chat").error().status, 400u);
    EXPECT_NE(with("Sec-WebSocket-Protocol", "chat").error().text.find("sluice.v1.json"), std::string::npos);
    EXPECT_EQ(with("Sec-WebSocket-Protocol", "SLUICE.V1.JSON").error().status, 400u);
    EXPECT_EQ(with("Sec-WebSocket-Protocol", "chat, chat, sluice.v1.json").error().status, 400u);
    EXPECT_EQ(with("Sec-WebSocket-Protocol", "a b, sluice.v1.json").error().status, 400u);
    const auto headers = good_headers();
    EXPECT_EQ(evaluate({"GET", 1, headers}, {})->protocol, "");
}

TEST(HandshakeTest, extensions_are_not_answered) {
    const auto accepted = with_extra("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=\"8");
    ASSERT_TRUE(accepted);
    EXPECT_EQ(response_head(*accepted).find("Extensions"), std::string::npos);
}

TEST(HandshakeTest, an_origin_has_to_be_on_the_list_byte_for_byte) {
    const HandshakeRules rules{.protocols = {kSluiceV1}, .origins = {{"https://shop.example"}}};
    const auto from = [&](std::string_view origin) {
        auto headers = good_headers();
        headers.push_back({"Origin", origin});
        return evaluate({"GET", 1, headers}, rules);
    };
    EXPECT_TRUE(from("https://shop.example"));
    for (const char* origin :
         {"null", "", "http://shop.example", "https://shop.example:443", "https://shop.example.evil.example",
          "https://evil.example", "HTTPS://shop.example", "https://shop.example/", "https://xshop.example"}) {
        ASSERT_FALSE(from(origin)) << origin;
        EXPECT_EQ(from(origin).error().status, 403u);
    }
    auto twice = good_headers();
    twice.push_back({"Origin", "https://shop.example"});
    twice.push_back({"Origin", "https://shop.example"});
    EXPECT_EQ(evaluate({"GET", 1, twice}, rules).error().status, 403u);
    const auto none = good_headers();
    EXPECT_TRUE(evaluate({"GET", 1, none}, rules));
}

}  // namespace
}  // namespace sluice::realtime::ws
