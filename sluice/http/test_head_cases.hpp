// Request heads that a strict server must take or refuse, for the tests of head_check and for those over sockets. The
// groups follow RFC 9112 and the list of Http11Probe.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::http::test_cases {

using namespace std::string_literals;

struct HeadCase {
    std::string name;
    std::string text;
    unsigned status;  // 0: accepted
};

inline const std::string kHost = "Host: shop.example\r\n";

inline std::string line(const std::string& request_line) {
    return request_line + "\r\n" + kHost + "\r\n";
}
inline std::string request_with(const std::string& fields, const std::string& method = "GET") {
    return method + " / HTTP/1.1\r\n" + kHost + fields + "\r\n";
}
inline std::string hosted(const std::string& host_fields) {
    return "GET / HTTP/1.1\r\n" + host_fields + "\r\n";
}

inline std::vector<HeadCase> request_lines() {
    return {
        {"plain GET", line("GET / HTTP/1.1"), 0},
        {"path and query", line("GET /a/b?c=d&e=%20f HTTP/1.1"), 0},
        {"escaped UTF-8", line("GET /caf%C3%A9 HTTP/1.1"), 0},
        {"sub-delimiters", line("GET /a;b=c,d!$&'()*+=:@-._~ HTTP/1.1"), 0},
        {"asterisk for OPTIONS", line("OPTIONS * HTTP/1.1"), 0},
        {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0},
        {"HTTP/1.0 with Host", line("GET / HTTP/1.0"), 0},
        {"empty line before the request", "\r\n" + line("GET / HTTP/1.1"), 0},
        {"two empty lines before the request", "\r\n\r\n" + line("GET / HTTP/1.1"), 400},
        {"bare LF before the request", "\n" + line("GET / HTTP/1.1"), 400},
        {"line too long behind an empty one", "\r\n" + line("GET /" + std::string(8 * 1024 - 13, 'a') + " HTTP/1.1"),
         414},
        {"bare LF", "GET / HTTP/1.1\n" + kHost + "\r\n", 400},
        {"bare LF everywhere", "GET / HTTP/1.1\nHost: shop.example\n\n", 400},
        {"bare CR", "GET / HTTP/1.1\r" + kHost + "\r\n", 400},
        {"CR CR LF", "GET / HTTP/1.1\r\r\n" + kHost + "\r\n", 400},
        {"CR in the target", "GET /\r HTTP/1.1\r\n" + kHost + "\r\n", 400},
        {"tab between", line("GET\t/\tHTTP/1.1"), 400},
        {"two spaces behind the method", line("GET  / HTTP/1.1"), 400},
        {"two spaces before the version", line("GET /  HTTP/1.1"), 400},
        {"leading space", line(" GET / HTTP/1.1"), 400},
        {"trailing space", line("GET / HTTP/1.1 "), 400},
        {"space in the target", line("GET /a b HTTP/1.1"), 400},
        {"vertical tab in the target", line("GET /a\vb HTTP/1.1"), 400},
        {"no target", line("GET HTTP/1.1"), 400},
        {"no method", line("/ HTTP/1.1"), 400},
        {"method only", line("GET"), 400},
        {"fragment", line("GET /#a HTTP/1.1"), 400},
        {"HTTP/0.9", "GET /\r\n", 400},
        {"HTTP/1.10", line("GET / HTTP/1.10"), 400},
        {"HTTP/01.1", line("GET / HTTP/01.1"), 400},
        {"HTTP/1.01", line("GET / HTTP/1.01"), 400},
        {"HTTP/1", line("GET / HTTP/1"), 400},
        {"HTTP/ 1.1", line("GET / HTTP/ 1.1"), 400},
        {"HTTP 1.1", line("GET / HTTP 1.1"), 400},
        {"lower-case version", line("GET / http/1.1"), 400},
        {"mixed-case version", line("GET / Http/1.1"), 400},
        {"another protocol", line("GET / HTCPCP/1.1"), 400},
        {"HTTP/1.2", line("GET / HTTP/1.2"), 505},
        {"HTTP/2.0", line("GET / HTTP/2.0"), 505},
        {"HTTP/3.0", line("GET / HTTP/3.0"), 505},
        {"HTTP/0.0", line("GET / HTTP/0.0"), 505},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501},
        {"TLS client hello", "\x16\x03\x01\x02"s + "\0\x01\r\n"s, 400},
    };
}

inline std::vector<HeadCase> targets_and_methods() {
    std::vector<HeadCase> cases = {
        {"NUL in the method", line("G\0ET / HTTP/1.1"s), 400},
        {"NUL in the target", line("GET /\0 HTTP/1.1"s), 400},
        {"control in the target", line("GET /\x01 HTTP/1.1"), 400},
        {"DEL in the target", line("GET /\x7f HTTP/1.1"), 400},
        {"non-ASCII target", line("GET /caf\xC3\xA9 HTTP/1.1"), 400},
        {"non-ASCII method", line("G\xC3\x89T / HTTP/1.1"), 400},
        {"bracketed method", line("GET[] / HTTP/1.1"), 400},
        {"quoted target", line("GET \"/\" HTTP/1.1"), 400},
        {"overlong UTF-8", line("GET /%c0%af HTTP/1.1"), 400},
        {"escaped surrogate", line("GET /%ed%a0%80 HTTP/1.1"), 400},
        {"escaped lone continuation", line("GET /%80 HTTP/1.1"), 400},
        {"escaped NUL", line("GET /%00 HTTP/1.1"), 400},
        {"escaped CR LF", line("GET /%0d%0aX HTTP/1.1"), 400},
        {"escaped DEL", line("GET /%7F HTTP/1.1"), 400},
        {"half an escape", line("GET /%4 HTTP/1.1"), 400},
        {"escape without digits", line("GET /%zz HTTP/1.1"), 400},
        {"escape at the end", line("GET /a% HTTP/1.1"), 400},
        {"backslash", line("GET /a\\b HTTP/1.1"), 400},
        {"curly braces", line("GET /{a} HTTP/1.1"), 400},
        {"asterisk for GET", line("GET * HTTP/1.1"), 400},
        {"absolute form", line("GET http://shop.example/a?b HTTP/1.1"), 0},
        {"absolute form without a path", line("GET http://shop.example HTTP/1.1"), 0},
        {"absolute form in another case", line("GET HTTP://Shop.Example/ HTTP/1.1"), 0},
        {"absolute form on HTTP/1.0 without Host", "GET http://shop.example/ HTTP/1.0\r\n\r\n", 0},
        {"absolute form of another host", line("GET http://evil.example/ HTTP/1.1"), 400},
        {"absolute form of another port", line("GET http://shop.example:81/ HTTP/1.1"), 400},
        {"absolute form without Host", "GET http://shop.example/ HTTP/1.1\r\n\r\n", 400},
        {"absolute form of https", line("GET https://shop.example/ HTTP/1.1"), 421},
        {"absolute form of ftp", line("GET ftp://shop.example/ HTTP/1.1"), 400},
        {"absolute form with userinfo", line("GET http://a@shop.example/ HTTP/1.1"), 400},
        {"absolute form without a host", line("GET http:///a HTTP/1.1"), 400},
        {"absolute form with a fragment", line("GET http://shop.example/#a HTTP/1.1"), 400},
        {"absolute form with a bad escape", line("GET http://shop.example/%zz HTTP/1.1"), 400},
        {"authority form", line("GET shop.example:80 HTTP/1.1"), 400},
        {"relative target", line("GET a HTTP/1.1"), 400},
        {"CONNECT", line("CONNECT shop.example:443 HTTP/1.1"), 501},
        {"TRACE", line("TRACE / HTTP/1.1"), 501},
        {"unknown method", line("BREW / HTTP/1.1"), 501},
        {"lower-case method", line("get / HTTP/1.1"), 501},
        {"long method", line(std::string(5'000, 'A') + " / HTTP/1.1"), 501},
        {"longest line", line("GET /" + std::string(8 * 1024 - 14, 'a') + " HTTP/1.1"), 0},
        {"line too long", line("GET /" + std::string(8 * 1024 - 13, 'a') + " HTTP/1.1"), 414},
        {"line far too long", line("GET /" + std::string(100'000, 'a') + " HTTP/1.1"), 414},
        {"endless line", std::string(70'000, 'a'), 414},
    };
    for (const char* method : {"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
        cases.push_back({method, line(method + " / HTTP/1.1"s), 0});
    return cases;
}

inline std::vector<HeadCase> fields() {
    std::string many;
    for (int i = 0; i < 99; ++i)
        many += "X-" + std::to_string(i) + ": a\r\n";
    return {
        {"ordinary", request_with("Accept: */*\r\nX-Empty:\r\nX-Tab: a\tb\r\n"), 0},
        {"every token character", request_with("!#$%&'*+-.^_`|~09azAZ: a\r\n"), 0},
        {"obs-text", request_with("X-Name: caf\xC3\xA9\r\n"), 0},
        {"white space around the value", request_with("X-A: \t a \t\r\n"), 0},
        {"value with colons", request_with("X-A: b:c\r\n"), 0},
        {"repeated", request_with("X-A: a\r\nX-A: b\r\n"), 0},
        {"obsolete folding", request_with("X-A: a\r\n b\r\n"), 400},
        {"obsolete folding with a tab", request_with("X-A: a\r\n\tb\r\n"), 400},
        {"folding behind the request line", "GET / HTTP/1.1\r\n X-A: a\r\n" + kHost + "\r\n", 400},
        {"line of white space", request_with(" \r\n"), 400},
        {"space before the colon", request_with("X-A : a\r\n"), 400},
        {"tab before the colon", request_with("X-A\t: a\r\n"), 400},
        {"no colon", request_with("X-A\r\n"), 400},
        {"empty name", request_with(": a\r\n"), 400},
        {"space in the name", request_with("X A: a\r\n"), 400},
        {"NUL in the name", request_with("X\0A: a\r\n"s), 400},
        {"control in the name",
         request_with("X\x01"
                      "A: a\r\n"),
         400},
        {"non-ASCII name", request_with("X-\xC3\xA9: a\r\n"), 400},
        {"brackets in the name", request_with("X[]: a\r\n"), 400},
        {"slash in the name", request_with("X/A: a\r\n"), 400},
        {"quote in the name", request_with("\"X\": a\r\n"), 400},
        {"NUL in the value", request_with("X-A: a\0b\r\n"s), 400},
        {"CR in the value", request_with("X-A: a\rb\r\n"), 400},
        {"LF in the value", request_with("X-A: a\nb\r\n"), 400},
        {"CR before CR LF", request_with("X-A: a\r\r\n"), 400},
        {"DEL in the value", request_with("X-A: a\x7f\r\n"), 400},
        {"vertical tab in the value", request_with("X-A: a\v\r\n"), 400},
        {"form feed in the value", request_with("X-A: a\f\r\n"), 400},
        {"backspace in the value", request_with("X-A: a\b\r\n"), 400},
        {"bare LF ends the head", "GET / HTTP/1.1\r\n" + kHost + "\n", 400},
        {"bare LF ends a field", "GET / HTTP/1.1\r\nHost: shop.example\n\r\n", 400},
        {"100 fields", request_with(many), 0},
        {"101 fields", request_with(many + "X-Z: a\r\n"), 431},
        {"large value", request_with("X-A: " + std::string(31'000, 'a') + "\r\n"), 0},
        {"too large value", request_with("X-A: " + std::string(40'000, 'a') + "\r\n"), 431},
        {"too large in sum",
         request_with("X-A: " + std::string(20'000, 'a') + "\r\nX-B: " + std::string(20'000, 'a') + "\r\n"), 431},
        {"endless name", request_with(std::string(40'000, 'a')), 431},
        {"Content_Length", request_with("Content_Length: 5\r\n"), 400},
        {"Transfer_Encoding", request_with("Transfer_Encoding: chunked\r\n"), 400},
        {"content_length", request_with("content_length: 5\r\n"), 400},
        {"100-continue", request_with("Expect: 100-continue\r\nContent-Length: 5\r\n", "POST"), 0},
        {"100-CONTINUE", request_with("Expect: 100-CONTINUE\r\nContent-Length: 5\r\n", "POST"), 0},
        {"unknown expectation", request_with("Expect: a-miracle\r\n", "POST"), 417},
        {"expectation list", request_with("Expect: 100-continue, x\r\n", "POST"), 417},
        {"Connection: close", request_with("Connection: close\r\n"), 0},
        {"Connection list", request_with("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), 0},
        {"odd cookie", request_with("Cookie: a=b; c=\"d\"; e\r\n"), 0},
        {"cookie with NUL", request_with("Cookie: a=\0b\r\n"s), 400},
        {"cookie with CR LF and a space", request_with("Cookie: a=b\r\n c=d\r\n"), 400},
    };
}

inline std::vector<HeadCase> hosts() {
    return {
        {"name", hosted("Host: shop.example\r\n"), 0},
        {"name and port", hosted("Host: shop.example:8080\r\n"), 0},
        {"lower-case field", hosted("host: shop.example\r\n"), 0},
        {"IPv4", hosted("Host: 127.0.0.1:80\r\n"), 0},
        {"IPv6", hosted("Host: [::1]\r\n"), 0},
        {"IPv6 and port", hosted("Host: [2001:db8::1]:8443\r\n"), 0},
        {"white space around", hosted("Host:  shop.example \r\n"), 0},
        {"missing", hosted(""), 400},
        {"twice the same", hosted("Host: a\r\nHost: a\r\n"), 400},
        {"twice different", hosted("Host: a\r\nHost: b\r\n"), 400},
        {"twice in different case", hosted("Host: a\r\nhOST: a\r\n"), 400},
        {"comma", hosted("Host: a, b\r\n"), 400},
        {"empty", hosted("Host:\r\n"), 400},
        {"userinfo", hosted("Host: user@shop.example\r\n"), 400},
        {"path", hosted("Host: shop.example/a\r\n"), 400},
        {"query", hosted("Host: shop.example?a\r\n"), 400},
        {"fragment", hosted("Host: shop.example#a\r\n"), 400},
        {"scheme", hosted("Host: http://shop.example\r\n"), 400},
        {"space inside", hosted("Host: shop example\r\n"), 400},
        {"empty port", hosted("Host: shop.example:\r\n"), 400},
        {"port in letters", hosted("Host: shop.example:http\r\n"), 400},
        {"port 0", hosted("Host: shop.example:0\r\n"), 400},
        {"port 65536", hosted("Host: shop.example:65536\r\n"), 400},
        {"two ports", hosted("Host: shop.example:80:81\r\n"), 400},
        {"port only", hosted("Host: :80\r\n"), 400},
        {"open bracket", hosted("Host: [::1\r\n"), 400},
        {"no address in brackets", hosted("Host: []\r\n"), 400},
        {"name in brackets", hosted("Host: [abc]\r\n"), 400},
        {"something behind the bracket", hosted("Host: [::1]x80\r\n"), 400},
        {"bare IPv6", hosted("Host: ::1\r\n"), 400},
        {"escape", hosted("Host: shop%2eexample\r\n"), 400},
        {"non-ASCII", hosted("Host: caf\xC3\xA9\r\n"), 400},
        {"folded", hosted("Host: shop.example\r\n evil.example\r\n"), 400},
        {"HTTP/1.0 with two", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
    };
}

inline std::vector<HeadCase> lengths() {
    std::vector<HeadCase> cases = {
        {"digits", request_with("Content-Length: 5\r\n", "POST"), 0},
        {"zero", request_with("Content-Length: 0\r\n", "POST"), 0},
        {"none", request_with("", "POST"), 0},
        {"white space around", request_with("Content-Length: \t5\t \r\n", "POST"), 0},
        {"2^63 - 1", request_with("Content-Length: 9223372036854775807\r\n", "POST"), 0},
        {"on GET", request_with("Content-Length: 5\r\n", "GET"), 0},
        {"on HEAD", request_with("Content-Length: 5\r\n", "HEAD"), 0},
        {"on OPTIONS", request_with("Content-Length: 5\r\n", "OPTIONS"), 0},
        {"twice the same", request_with("Content-Length: 5\r\nContent-Length: 5\r\n", "POST"), 400},
        {"twice different", request_with("Content-Length: 5\r\nContent-Length: 6\r\n", "POST"), 400},
        {"twice in different case", request_with("Content-Length: 5\r\ncontent-length: 5\r\n", "POST"), 400},
        {"with Transfer-Encoding", request_with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "POST"), 400},
        {"behind Transfer-Encoding", request_with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "POST"), 400},
        {"on HTTP/1.0 with Transfer-Encoding",
         "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"white space before the colon", request_with("Content-Length : 5\r\n", "POST"), 400},
        {"folded", request_with("Content-Length: 5\r\n 0\r\n", "POST"), 400},
        {"folded onto the next line", request_with("Content-Length:\r\n 5\r\n", "POST"), 400},
    };
    const std::vector<std::string> bad = {"5, 5",
                                          "5,5",
                                          "5, 6",
                                          "5,",
                                          ",5",
                                          "+5",
                                          "-5",
                                          "-0",
                                          "+0",
                                          "0x5",
                                          "0x",
                                          "5h",
                                          "05",
                                          "00",
                                          "0o5",
                                          "5.0",
                                          "5e1",
                                          "5 0",
                                          "1 000",
                                          "1_000",
                                          "",
                                          "five",
                                          "5;a",
                                          "\"5\"",
                                          "9223372036854775808",
                                          "18446744073709551616",
                                          "99999999999999999999999999",
                                          "5\0"s,
                                          "5\v",
                                          "\f5",
                                          "\xC2\xA0"
                                          "5",
                                          "\xD9\xA5",
                                          "(5)",
                                          "5%30"};
    for (const std::string& value : bad)
        cases.push_back({"value " + ::testing::PrintToString(value),
                         request_with("Content-Length: " + value + "\r\n", "POST"), 400});
    return cases;
}

inline std::vector<HeadCase> encodings() {
    std::vector<HeadCase> cases = {
        {"chunked", request_with("Transfer-Encoding: chunked\r\n", "POST"), 0},
        {"Chunked", request_with("Transfer-Encoding: Chunked\r\n", "POST"), 0},
        {"lower-case field", request_with("transfer-encoding: chunked\r\n", "POST"), 0},
        {"space behind", request_with("Transfer-Encoding: chunked \r\n", "POST"), 0},
        {"tab before", request_with("Transfer-Encoding:\tchunked\r\n", "POST"), 0},
        {"twice", request_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "POST"), 400},
        {"identity behind", request_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "POST"), 400},
        {"on HTTP/1.0", "POST / HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"white space before the colon", request_with("Transfer-Encoding : chunked\r\n", "POST"), 400},
        {"folded", request_with("Transfer-Encoding:\r\n chunked\r\n", "POST"), 400},
        {"folded behind a comma", request_with("Transfer-Encoding: chunked,\r\n identity\r\n", "POST"), 400},
        {"leading white-space line", request_with(" Transfer-Encoding: chunked\r\n", "POST"), 400},
    };
    const std::vector<std::string> bad = {"xchunked",
                                          "chunkedx",
                                          "identity",
                                          "chunked, chunked",
                                          "chunked, identity",
                                          "identity, chunked",
                                          "gzip, chunked",
                                          "chunked, gzip",
                                          "gzip",
                                          "deflate",
                                          ",chunked",
                                          "chunked,",
                                          ", chunked",
                                          "chunked ,",
                                          "",
                                          "\"chunked\"",
                                          "'chunked'",
                                          "chunked;q=1",
                                          "chunked; a=b",
                                          "chunked;",
                                          "chun ked",
                                          "ch\0unked"s,
                                          "chunked\0"s,
                                          "\vchunked",
                                          "chunked\v",
                                          "\fchunked",
                                          "chunked\f",
                                          "\x01"
                                          "chunked",
                                          "chunked\x7f",
                                          "\xC2\xA0"
                                          "chunked",
                                          "chunke\xC4\x91",
                                          "chunk",
                                          "c",
                                          "true",
                                          "nothing"};
    for (const std::string& value : bad)
        cases.push_back({"value " + ::testing::PrintToString(value),
                         request_with("Transfer-Encoding: " + value + "\r\n", "POST"), 400});
    return cases;
}

inline std::vector<HeadCase> all_cases() {
    std::vector<HeadCase> all;
    for (auto group : {request_lines(), targets_and_methods(), fields(), hosts(), lengths(), encodings()})
        all.insert(all.end(), group.begin(), group.end());
    return all;
}

}  // namespace sluice::http::test_cases
