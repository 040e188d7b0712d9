#include "sluice/http/internal/serialize.hpp"

#include <gtest/gtest.h>

namespace sluice::http::internal {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(serialize, a_response_has_its_length_and_says_whether_the_connection_stays) {
    const std::string kept = serialize(Response::text(200, "hello"), true, false);
    const std::string closed = serialize(Response::text(200, "hello"), false, false);

    EXPECT_TRUE(kept.starts_with("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_TRUE(has(kept, "\r\nContent-Length: 5\r\n"));
    EXPECT_TRUE(has(kept, "\r\nConnection: keep-alive\r\n"));
    EXPECT_TRUE(has(closed, "\r\nConnection: close\r\n"));
    EXPECT_TRUE(kept.ends_with("\r\n\r\nhello"));
}

TEST(serialize, the_answer_to_head_has_the_length_and_no_body) {
    const std::string bytes = serialize(Response::text(200, "hello"), true, true);

    EXPECT_TRUE(has(bytes, "\r\nContent-Length: 5\r\n"));
    EXPECT_TRUE(bytes.ends_with("\r\n\r\n"));
}

TEST(serialize, answers_without_content_have_neither_body_nor_length) {
    const std::string bytes = serialize(Response::empty(204), true, false);

    EXPECT_FALSE(has(bytes, "Content-Length"));
    EXPECT_TRUE(bytes.ends_with("\r\n\r\n"));
}

TEST(serialize, a_shared_body_takes_the_place_of_its_own) {
    Response response = Response::text(200, "own");
    response.shared_body = std::make_shared<const std::string>("shared");

    EXPECT_TRUE(serialize(response, true, false).ends_with("\r\n\r\nshared"));
}

TEST(serialize, an_upgrade_names_the_connection_option) {
    const std::string bytes = upgrade_head({{"Upgrade", "websocket"}});

    EXPECT_EQ(bytes, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

}  // namespace
}  // namespace sluice::http::internal
