#include "sluice/http/internal/request_parser.hpp"

#include <string>

#include <gtest/gtest.h>

#include "sluice/http/head_check.hpp"

namespace sluice::http::internal {
namespace {

struct Parsed {
    BodyProgress head;
    BodyProgress body;
    Request request;
    bool done = false;
};

Parsed parse_all(const std::string& bytes, std::size_t limit = 100) {
    const HeadVerdict verdict = check_head(bytes, {});
    EXPECT_EQ(verdict.state, HeadState::complete) << verdict.reason;
    RequestParser parser(limit);
    Parsed parsed;
    parsed.head = parser.head(std::string_view(bytes).substr(0, verdict.length));
    if (parsed.head.refused == 0) parsed.body = parser.body(std::string_view(bytes).substr(verdict.length));
    parsed.done = parser.done();
    parsed.request = parser.take();
    return parsed;
}

TEST(RequestParser, reads_the_absolute_form_and_an_empty_line_before_the_request) {
    const Parsed parsed = parse_all("\r\nGET http://a:80/b?x=1 HTTP/1.1\r\nHost: A:80\r\n\r\n");
    EXPECT_TRUE(parsed.done);
    EXPECT_EQ(parsed.head.refused, 0U) << parsed.head.reason;
    EXPECT_EQ(parsed.request.target, "/b?x=1");
    EXPECT_EQ(parsed.request.path, "/b");
    EXPECT_EQ(parsed.request.query.at("x"), "1");
    const Parsed old = parse_all("GET http://a/b HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.request.headers.find("Host"), "a");
}

TEST(RequestParser, close_is_found_in_every_connection_field_and_place) {
    const auto keeps = [](const std::string& fields) {
        return parse_all("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n").request.keep_alive;
    };
    EXPECT_TRUE(keeps(""));
    EXPECT_TRUE(keeps("Connection: keep-alive\r\nConnection: TE\r\n"));
    EXPECT_TRUE(keeps("Connection: closed, not-close\r\nX-Connection: close\r\n"));
    EXPECT_TRUE(keeps("Connection: , ,\r\nConnection:\r\n"));
    EXPECT_FALSE(keeps("Connection: close\r\n"));
    EXPECT_FALSE(keeps("Connection: keep-alive ,\tCLOSE , TE\r\n"));
    EXPECT_FALSE(keeps("Connection: TE\r\nConnection: close\r\n"));
    EXPECT_FALSE(keeps("Connection: keep-alive\r\nX-A: b\r\nconnection: x,close\r\n"));
}

TEST(RequestParser, reads_line_fields_and_query) {
    const Parsed parsed = parse_all("GET /a/%62?x=1%202&y HTTP/1.1\r\nHost: a\r\nX-A: b\r\nx-a: c\r\n\r\n");
    EXPECT_TRUE(parsed.done);
    EXPECT_EQ(parsed.request.method, "GET");
    EXPECT_EQ(parsed.request.target, "/a/%62?x=1%202&y");
    EXPECT_EQ(parsed.request.path, "/a/%62");
    EXPECT_EQ(parsed.request.query.at("x"), "1 2");
    EXPECT_EQ(parsed.request.query.at("y"), "");
    EXPECT_EQ(parsed.request.headers.count("X-A"), 2U);
    EXPECT_TRUE(parsed.request.keep_alive);
}

TEST(RequestParser, stops_at_the_end_of_a_counted_body) {
    const Parsed parsed = parse_all("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /");
    EXPECT_EQ(parsed.request.body, "hello");
    EXPECT_EQ(parsed.body.consumed, 5U);
    EXPECT_TRUE(parsed.done);
}

TEST(RequestParser, stops_at_the_end_of_a_chunked_body) {
    const Parsed parsed =
        parse_all("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /");
    EXPECT_EQ(parsed.request.body, "hello");
    EXPECT_EQ(parsed.body.consumed, 15U);
    EXPECT_TRUE(parsed.done);
}

TEST(RequestParser, refuses_a_declared_body_over_the_limit_before_it_arrives) {
    const Parsed parsed = parse_all("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n");
    EXPECT_EQ(parsed.head.refused, 413U);
    EXPECT_EQ(parsed.head.reason, "body: 101 bytes declared, at most 100 are taken");
    EXPECT_EQ(parse_all("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n").head.refused, 0U);
}

TEST(RequestParser, ends_the_connection_after_close_and_after_http_1_0) {
    EXPECT_FALSE(parse_all("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").request.keep_alive);
    EXPECT_FALSE(parse_all("GET / HTTP/1.1\r\nHost: a\r\nConnection: X, Close\r\n\r\n").request.keep_alive);
    EXPECT_FALSE(parse_all("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
    EXPECT_TRUE(parse_all("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").request.keep_alive);
}

}  // namespace
}  // namespace sluice::http::internal
