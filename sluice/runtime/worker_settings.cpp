#include "sluice/runtime/worker_settings.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace sluice::runtime {
namespace {

using std::chrono::nanoseconds;

std::string in_ms(nanoseconds duration) {
    return fmt::format("{} ms", std::chrono::duration<double, std::milli>(duration).count());
}

class SettingsCheck {
public:
    explicit SettingsCheck(std::string_view worker) : worker_(worker) {}

    void at_least(const char* setting, nanoseconds value, nanoseconds least) const {
        if (value < least) refuse(setting, fmt::format("{} is less than {}", in_ms(value), in_ms(least)));
    }
    void ordered(const char* small, nanoseconds less, const char* large, nanoseconds more) const {
        if (less > more)
            refuse(small,
                   fmt::format("{} is more than {} ({}); swap them or lower it", in_ms(less), large, in_ms(more)));
    }
    void holds(const char* setting, bool good, const std::string& reason) const {
        if (!good) refuse(setting, reason);
    }

private:
    [[noreturn]] void refuse(const char* setting, const std::string& reason) const {
        throw InvalidSetting(fmt::format("{}.{}", worker_, setting), reason);
    }
    std::string_view worker_;
};

template <class T>
void take(T& into, const std::optional<T>& own, const std::optional<T>& profile) {
    if (profile) into = *profile;
    if (own) into = *own;
}

}  // namespace

void check(std::string_view worker, const WorkerSettings& settings) {
    constexpr nanoseconds kSome{1};
    const SettingsCheck check(worker);
    check.holds("batch", settings.batch >= 1, "0 items per run; set at least 1");
    check.at_least("min_interval", settings.min_interval, nanoseconds(0));
    check.at_least("ramp_step", settings.ramp_step, nanoseconds(0));
    check.ordered("min_interval", settings.min_interval, "active_interval", settings.active_interval);
    check.at_least("idle_interval", settings.idle_interval, kSome);
    check.ordered("idle_interval", settings.idle_interval, "rest_interval", settings.rest_interval);
    check.at_least("retry_base", settings.retry.initial, kSome);
    check.ordered("retry_base", settings.retry.initial, "retry_max", settings.retry.max);
    check.holds("retry_multiplier", settings.retry.multiplier >= 1,
                fmt::format("{} would retry ever faster; set at least 1", settings.retry.multiplier));
    check.holds("retry_jitter", settings.retry.jitter >= 0 && settings.retry.jitter <= 1,
                fmt::format("{} is not between 0 and 1", settings.retry.jitter));
}

WorkerSettings resolve(std::string_view worker, const WorkerTuning& own, const WorkerTuning& profile) {
    WorkerSettings settings;
    take(settings.batch, own.batch, profile.batch);
    take(settings.active_interval, own.active_interval, profile.active_interval);
    take(settings.min_interval, own.min_interval, profile.min_interval);
    take(settings.ramp_step, own.ramp_step, profile.ramp_step);
    take(settings.idle_interval, own.idle_interval, profile.idle_interval);
    take(settings.rest_interval, own.rest_interval, profile.rest_interval);
    take(settings.retry.initial, own.retry_base, profile.retry_base);
    take(settings.retry.max, own.retry_max, profile.retry_max);
    take(settings.panic, own.panic, profile.panic);
    check(worker, settings);
    return settings;
}

}  // namespace sluice::runtime
