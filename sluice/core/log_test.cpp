#include "sluice/core/log.hpp"

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "sluice/core/json/node.hpp"
#include "sluice/testing/log_capture.hpp"

namespace sluice::core {
namespace {

TEST(Logger, passes_lines_at_and_above_its_threshold_under_its_name) {
    const auto sink = std::make_shared<testing::CapturingSink>();
    const Logger log = Logger(sink, LogLevel::warn).named("outbox shop_a");
    log.info("lost {}", 1);
    log.warn("kept {}", 2);
    ASSERT_EQ(sink->lines().size(), 1U);
    EXPECT_EQ(sink->lines()[0].level, LogLevel::warn);
    EXPECT_EQ(sink->lines()[0].logger, "outbox shop_a");
    EXPECT_EQ(sink->lines()[0].text, "kept 2");
    EXPECT_TRUE(sink->contains("kept"));
    EXPECT_FALSE(sink->contains("lost"));
}

TEST(Logger, a_default_one_discards) {
    const Logger log;
    log.error("nobody hears {}", 1);
    EXPECT_FALSE(log.enabled(LogLevel::error));
}

std::string line_on_stderr(LogFormat format, const std::string& text) {
    ::testing::internal::CaptureStderr();
    Logger::to_stderr(format, LogLevel::info).named("http").info("{}", text);
    return ::testing::internal::GetCapturedStderr();
}

TEST(Logger, text_lines_cannot_be_forged) {
    const std::string line = line_on_stderr(LogFormat::text, "a\n2024 error forged\x1b[2J");
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    EXPECT_NE(line.find(" info  http: a\\x0a2024 error forged\\x1b[2J"), std::string::npos) << line;
}

TEST(Logger, json_lines_are_json_whatever_the_text) {
    const std::string line = line_on_stderr(LogFormat::json, "quote \" and \xFF and \n");
    const auto document = json::parse(line);
    ASSERT_TRUE(document.has_value()) << line;
    EXPECT_EQ(document->root().find("level")->string(), "info");
    EXPECT_EQ(document->root().find("logger")->string(), "http");
    EXPECT_EQ(document->root().find("message")->string(), "quote \" and \xEF\xBF\xBD and \n");
    EXPECT_EQ(document->root().find("time")->string()->size(), std::string("2024-01-01T00:00:00.000Z").size());
}

}  // namespace
}  // namespace sluice::core
