#include "sluice/core/config/value.hpp"

#include <gtest/gtest.h>

namespace sluice::core::config {
namespace {

using namespace std::chrono_literals;

TEST(ConfigValue, reads_durations_with_their_unit) {
    EXPECT_EQ(parse_duration("250ms").value(), 250ms);
    EXPECT_EQ(parse_duration("30s").value(), 30s);
    EXPECT_EQ(parse_duration("2d").value(), 48h);
    EXPECT_EQ(parse_duration("0s").value(), 0s);
    for (const char* bad : {"", "s", "30", "30 s", "-1s", "1.5s", "30S", "1h30m", "9999999999d", "30sec"})
        EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
    EXPECT_EQ(parse_duration("30").error(), "expected a duration like 250ms, 30s, 5m or 24h, found '30'");
}

TEST(ConfigValue, reads_sizes) {
    EXPECT_EQ(parse_size("4096").value().bytes, 4096U);
    EXPECT_EQ(parse_size("64KiB").value().bytes, 65'536U);
    EXPECT_EQ(parse_size("2GB").value().bytes, 2'000'000'000U);
    for (const char* bad : {"", "KiB", "-1", "1 MiB", "1mib", "1.5MiB", "99999999999999999999", "9999999999GiB"})
        EXPECT_FALSE(parse_size(bad).has_value()) << bad;
}

TEST(ConfigValue, writes_what_it_reads) {
    for (const auto duration : {0ns, 1ns, 1500ns, std::chrono::nanoseconds(90s), std::chrono::nanoseconds(48h)})
        EXPECT_EQ(parse_duration(format_duration(duration)).value(), duration);
    for (const std::uint64_t bytes : {0ULL, 1ULL, 1'000ULL, 1'024ULL, 3'145'728ULL, 5'000'000ULL})
        EXPECT_EQ(parse_size(format_size(ByteSize{bytes})).value().bytes, bytes);
    EXPECT_EQ(format_value(std::vector<std::string>{"a", "b\""}), R"(["a", "b\""])");
}

}  // namespace
}  // namespace sluice::core::config
