#include "sluice/core/log.hpp"

#include <chrono>

#include <fmt/chrono.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "sluice/core/json/writer.hpp"

namespace sluice::core {
namespace {

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
        case LogLevel::off:
            return "off";
    }
    return "?";
}

std::string now_text() {
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const auto whole = std::chrono::time_point_cast<std::chrono::seconds>(now);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                       (now - whole).count());
}

// What came from outside must not start a line of its own or drive a terminal.
std::string one_line(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7F)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        else
            out += c;
    }
    return out;
}

std::string as_text(LogLevel level, std::string_view logger, std::string_view text) {
    return fmt::format("{} {:<5} {}{}{}", now_text(), name_of(level), one_line(logger), logger.empty() ? "" : ": ",
                       one_line(text));
}

std::string as_json(LogLevel level, std::string_view logger, std::string_view text) {
    std::string line;
    json::Writer writer(line, json::BadText::replace);
    writer.begin_object();
    writer.key("time");
    writer.value(std::string_view(now_text()));
    writer.key("level");
    writer.value(name_of(level));
    writer.key("logger");
    writer.value(logger);
    writer.key("message");
    writer.value(text);
    writer.end_object();
    return line;
}

class StderrSink final : public LogSink {
public:
    explicit StderrSink(LogFormat format)
        : format_(format), lines_("sluice", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        lines_.set_pattern("%v");
        lines_.set_level(spdlog::level::trace);
        lines_.flush_on(spdlog::level::trace);
    }

    void write(LogLevel level, std::string_view logger, std::string_view text) noexcept override {
        try {
            const std::string line =
                format_ == LogFormat::json ? as_json(level, logger, text) : as_text(level, logger, text);
            lines_.log(spdlog::level::info, line);
        } catch (...) {
            // Out of memory or standard error is gone: there is nowhere left to say so.
        }
    }

private:
    LogFormat format_;
    spdlog::logger lines_;
};

}  // namespace

Logger::Logger(std::shared_ptr<LogSink> sink, LogLevel threshold, std::string name)
    : sink_(std::move(sink)), threshold_(threshold), name_(std::move(name)) {}

Logger Logger::to_stderr(LogFormat format, LogLevel threshold) {
    return Logger(std::make_shared<StderrSink>(format), threshold);
}

Logger Logger::named(std::string name) const {
    return Logger(sink_, threshold_, std::move(name));
}

}  // namespace sluice::core
