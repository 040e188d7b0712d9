// Chunked bodies that a strict server must take or refuse, for the tests of the decoder and for those over sockets.
#pragma once

#include <string_view>
#include <vector>

namespace sluice::http::test_cases {

using namespace std::string_view_literals;

struct ChunkCase {
    std::string_view name;
    std::string_view text;
    unsigned refused;  // 0: decodes to `body`
    std::string_view body;
};

inline const std::vector<ChunkCase> kChunkCases = {
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n"sv, 0, "hello"},
    {"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"sv, 0, "hello world"},
    {"no chunk", "0\r\n\r\n"sv, 0, ""},
    {"several zeros", "000\r\n\r\n"sv, 0, ""},
    {"leading zeros", "0005\r\nhello\r\n0\r\n\r\n"sv, 0, "hello"},
    {"hexadecimal in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"sv, 0, "01234567890123456789"},
    {"extension", "5;a=b\r\nhello\r\n0;last\r\n\r\n"sv, 0, "hello"},
    {"quoted extension", "5;a=\"b c\"\r\nhello\r\n0\r\n\r\n"sv, 0, "hello"},
    {"several extensions", "5;a=b;c;d=\"e\\\"f;\"\r\nhello\r\n0\r\n\r\n"sv, 0, "hello"},
    {"white space around an extension", "5 ; a = b\r\nhello\r\n0\r\n\r\n"sv, 0, "hello"},
    {"extension without a name", "5;\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"extension without a value", "5;a=\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"extension with two values", "5;a=b=c\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"extension with an open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"extension in brackets", "5;[a]\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"two extensions in a space", "5;a b\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"data that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"sv, 0, "\r\n0\r\n\r\n"},
    {"binary data", "3\r\n\0\xFF\n\r\n0\r\n\r\n"sv, 0, "\0\xFF\n"sv},
    {"0x size", "0x5\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"underscore in size", "1_0\r\n"sv, 400, ""},
    {"plus sign", "+5\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"minus sign", "-5\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"space before size", " 5\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"space behind size", "5 \r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"tab behind size", "5\t\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"empty size", "\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"extension without size", ";a\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"size of 2^64", "10000000000000000\r\n"sv, 400, ""},
    {"size of 2^64 - 1", "ffffffffffffffff\r\nhello"sv, 400, ""},
    {"size over the limit", "fffffff\r\nhello"sv, 413, ""},
    {"size that overflows to 5", "100000000000000005\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"bare LF behind size", "5\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"bare CR behind size", "5\rhello\r\n0\r\n\r\n"sv, 400, ""},
    {"bare LF in extension", "5;a\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"bare CR in extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"NUL in extension", "5;a\0\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"control in extension", "5;a\x0b\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"no CR LF behind data", "5\r\nhello0\r\n\r\n"sv, 400, ""},
    {"bare LF behind data", "5\r\nhello\n0\r\n\r\n"sv, 400, ""},
    {"bare CR behind data", "5\r\nhello\r0\r\n\r\n"sv, 400, ""},
    {"more data than the size says", "5\r\nhello!\r\n0\r\n\r\n"sv, 400, ""},
    {"less data than the size says", "6\r\nhello\r\n0\r\n\r\n"sv, 400, ""},
    {"trailer", "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"sv, 0, "hello"},
    {"two trailers", "5\r\nhello\r\n0\r\nX-A: b\r\nDigest:\tx \r\n\r\n"sv, 0, "hello"},
    {"folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n"sv, 400, ""},
    {"trailer without a colon", "0\r\nX-A\r\n\r\n"sv, 400, ""},
    {"trailer with a space before the colon", "0\r\nX-A : b\r\n\r\n"sv, 400, ""},
    {"control in a trailer", "0\r\nX-A: b\x01\r\n\r\n"sv, 400, ""},
    {"bare LF behind a trailer", "0\r\nX-A: b\n\r\n"sv, 400, ""},
    {"bare CR behind a trailer", "0\r\nX-A: b\rX\r\n\r\n"sv, 400, ""},
    {"Content_Length trailer", "0\r\nContent_Length: 5\r\n\r\n"sv, 400, ""},
    {"Content-Length trailer", "0\r\nContent-Length: 5\r\n\r\n"sv, 400, ""},
    {"Transfer-Encoding trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\n"sv, 400, ""},
    {"Host trailer", "0\r\nHost: b\r\n\r\n"sv, 400, ""},
    {"Authorization trailer", "0\r\nAuthorization: x\r\n\r\n"sv, 400, ""},
    {"two other bytes behind the last chunk", "0\r\nXX"sv, 400, ""},
    {"another byte and LF behind the last chunk", "0\r\nX\n"sv, 400, ""},
    {"bare LF behind the last chunk", "0\r\n\n"sv, 400, ""},
    {"LF CR behind the last chunk", "0\r\n\n\r"sv, 400, ""},
    {"CR and another byte behind the last chunk", "0\r\n\rX"sv, 400, ""},
    {"zero-sized chunk then more", "0\r\n5\r\nhello\r\n"sv, 400, ""},
};

}  // namespace sluice::http::test_cases
