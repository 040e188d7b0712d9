#include "sluice/http/internal/serialize.hpp"

#include <regex>

#include <gtest/gtest.h>

namespace sluice::http::internal {
namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(serialize, a_head_has_the_length_and_says_whether_the_connection_stays) {
    const Response response = Response::text(200, "hello");
    const std::string kept = serialize_head(response, true);
    const std::string closed = serialize_head(response, false);

    EXPECT_TRUE(kept.starts_with("HTTP/1.1 200 OK\r\nDate: "));
    EXPECT_TRUE(has(kept, "\r\nContent-Length: 5\r\n"));
    EXPECT_TRUE(has(kept, "\r\nConnection: keep-alive\r\n"));
    EXPECT_TRUE(has(closed, "\r\nConnection: close\r\n"));
    EXPECT_TRUE(kept.ends_with("\r\n\r\n"));
    EXPECT_EQ(body_of(response), "hello");
}

TEST(serialize, dates_have_the_one_form_of_the_rfc) {
    const std::string head = serialize_head(Response::empty(204), true);
    const std::regex form(
        "Date: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
        " [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT");
    EXPECT_TRUE(std::regex_search(head, form)) << head;
}

TEST(serialize, answers_without_content_have_neither_body_nor_length) {
    for (const unsigned status : {204U, 304U}) {
        Response response = Response::text(status, "ignored");

        EXPECT_FALSE(has(serialize_head(response, true), "Content-Length"));
        EXPECT_EQ(body_of(response), "");
    }
}

TEST(serialize, a_shared_body_takes_the_place_of_its_own) {
    Response response = Response::text(200, "own");
    response.shared_body = std::make_shared<const std::string>("shared");

    EXPECT_EQ(body_of(response), "shared");
    EXPECT_TRUE(has(serialize_head(response, true), "Content-Length: 6\r\n"));
}

TEST(serialize, an_upgrade_names_the_connection_option) {
    const std::string bytes = upgrade_head({{"Upgrade", "websocket"}});

    EXPECT_EQ(bytes, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

}  // namespace
}  // namespace sluice::http::internal
