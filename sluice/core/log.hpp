// Logging as a dependency that is passed, never a global. Text for people or JSON lines for machines.
//
//     core::Logger log = core::Logger::to_stderr(core::LogFormat::text, core::LogLevel::info);
//     core::Logger mine = log.named("outbox shop_a");
//     mine.info("tick {} numbered {} messages", n, count);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace sluice::core {

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { text, json };

/// Receives finished lines. Thread-safe; must not throw.
class LogSink {
public:
    virtual ~LogSink() = default;
    virtual void write(LogLevel level, std::string_view logger, std::string_view text) noexcept = 0;
};

/// Cheap handle to a sink with a name and a threshold; copies share the sink. Thread-safe. Default: discards.
class Logger {
public:
    Logger() = default;
    Logger(std::shared_ptr<LogSink> sink, LogLevel threshold, std::string name = {});

    /// Lines on standard error through spdlog. `json` writes one object a line: time, level, logger, message.
    [[nodiscard]] static Logger to_stderr(LogFormat format, LogLevel threshold);

    /// The same sink under another name.
    [[nodiscard]] Logger named(std::string name) const;
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool enabled(LogLevel level) const noexcept { return sink_ && level >= threshold_; }

    template <class... Args>
    void debug(fmt::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::debug, text, std::forward<Args>(args)...);
    }
    template <class... Args>
    void info(fmt::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::info, text, std::forward<Args>(args)...);
    }
    template <class... Args>
    void warn(fmt::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::warn, text, std::forward<Args>(args)...);
    }
    template <class... Args>
    void error(fmt::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::error, text, std::forward<Args>(args)...);
    }

private:
    template <class... Args>
    void write(LogLevel level, fmt::format_string<Args...> text, Args&&... args) const {
        if (enabled(level)) sink_->write(level, name_, fmt::format(text, std::forward<Args>(args)...));
    }

    std::shared_ptr<LogSink> sink_;  // shared by every Logger derived from the same root
    LogLevel threshold_ = LogLevel::off;
    std::string name_;
};

}  // namespace sluice::core
