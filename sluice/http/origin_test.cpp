#include "sluice/http/origin.hpp"

#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

TEST(Origin, is_normalized_or_nothing) {
    EXPECT_EQ(normal_origin("HTTPS://Shop.Example:443"), "https://shop.example");
    EXPECT_EQ(normal_origin("http://localhost:5173"), "http://localhost:5173");
    EXPECT_EQ(normal_origin("http://[::1]:80"), "http://[::1]");
    for (const char* bad : {"null", "", "shop.example", "https://", "https://shop.example/", "https://a@b", "ftp://a",
                            "https://a:0", "https://a:70000", "https://a:8x", "https://a:", "https://a b",
                            "https://*.a", "https://a?", "https://a#", "https://a,https://b"})
        EXPECT_EQ(normal_origin(bad), std::nullopt) << bad;
}

struct OriginCase {
    const char* origin;
    const char* host;
    OriginVerdict verdict;
};

TEST(Origin, is_judged_by_scheme_host_and_port) {
    const OriginPolicy policy({"https://shop.example", "http://localhost:5173"});
    const std::vector<OriginCase> cases = {
        {"https://shop.example", "api.example", OriginVerdict::allowed},
        {"https://shop.example:443", "api.example", OriginVerdict::allowed},
        {"http://shop.example", "api.example", OriginVerdict::refused},
        {"https://shop.example:8443", "api.example", OriginVerdict::refused},
        {"https://shop.example.evil.example", "api.example", OriginVerdict::refused},
        {"https://evil-shop.example", "api.example", OriginVerdict::refused},
        {"https://sub.shop.example", "api.example", OriginVerdict::refused},
        {"http://localhost:5173", "127.0.0.1:8080", OriginVerdict::allowed},
        {"http://localhost:5174", "127.0.0.1:8080", OriginVerdict::refused},
        {"http://127.0.0.1:8080", "127.0.0.1:8080", OriginVerdict::same},
        {"http://127.0.0.1:8081", "127.0.0.1:8080", OriginVerdict::refused},
        {"https://api.example", "API.example", OriginVerdict::same},
        {"http://api.example", "api.example", OriginVerdict::same},
        {"https://api.example:80", "api.example", OriginVerdict::refused},
        {"null", "api.example", OriginVerdict::refused},
        {"", "api.example", OriginVerdict::refused},
        {"https://api.example", "", OriginVerdict::refused},
    };
    for (const OriginCase& c : cases)
        EXPECT_EQ(policy.judge(c.origin, c.host), c.verdict) << c.origin << " at " << c.host;
    EXPECT_EQ(policy.judge(std::nullopt, "api.example"), OriginVerdict::absent);
}

TEST(Origin, a_list_with_something_else_in_it_is_refused_by_name) {
    try {
        const OriginPolicy policy({"https://shop.example", "*"});
        FAIL() << "a wildcard was accepted";
    } catch (const std::invalid_argument& error) {
        EXPECT_STREQ(error.what(), "'*' is no origin; write scheme, host and port, like https://shop.example");
    }
}

TEST(Origin, only_reading_methods_are_safe) {
    for (const char* method : {"GET", "HEAD", "OPTIONS"})
        EXPECT_TRUE(is_safe_method(method));
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "get"})
        EXPECT_FALSE(is_safe_method(method));
}

}  // namespace
}  // namespace sluice::http
