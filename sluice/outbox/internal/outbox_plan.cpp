#include "sluice/outbox/internal/outbox_plan.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/limits.hpp"

namespace sluice::outbox {
namespace {

constexpr std::uint16_t kMostLanes = 4'096;

/// Throws for the first thing that is wrong.
class Inspector {
public:
    explicit Inspector(std::string_view source) : source_(source) {}

    void expect(bool holds, const std::string& text) const {
        if (!holds) throw Error(ErrorKind::config, source_, text);
    }
    template <class Number>
    void at_least(Number value, Number least, std::string_view name) const {
        expect(value >= least, fmt::format("{} is {}, it must be at least {}", name, value, least));
    }
    void at_least(std::chrono::milliseconds value, std::int64_t least, std::string_view name) const {
        expect(value.count() >= least,
               fmt::format("{} is {} ms, it must be at least {} ms", name, value.count(), least));
    }

private:
    std::string_view source_;
};

void check_settings(const Inspector& inspector, const Settings& settings) {
    inspector.at_least(settings.processors, 1U, "processors");
    inspector.at_least(settings.tick_messages, 1U, "tick_messages");
    inspector.at_least(settings.tick_bytes, std::size_t{1}, "tick_bytes");
    inspector.at_least(settings.backlog_chunk, 1U, "backlog_chunk");
    inspector.at_least(settings.ack_interval, 0, "ack_interval");
    inspector.at_least(settings.statistics_interval, 0, "statistics_interval");
}

void check_queues(const Inspector& inspector, const std::vector<QueuePlan>& queues) {
    std::set<std::string> names;
    for (const QueuePlan& queue : queues) {
        if (const auto fault = fault_of_name(queue.name)) inspector.expect(false, "queue " + *fault);
        inspector.expect(names.insert(queue.name).second, fmt::format("queue '{}' is declared twice", queue.name));
        const std::uint16_t lanes = queue.lanes.count;
        const bool power_of_two = lanes > 0 && (lanes & (lanes - 1)) == 0;
        inspector.expect(power_of_two && lanes <= kMostLanes,
                         fmt::format("queue '{}' has {} lanes; a power of two from 1 to {} is possible", queue.name,
                                     lanes, kMostLanes));
        if (queue.settings.retention) {
            inspector.expect(queue.settings.retention->count() >= 0,
                             fmt::format("queue '{}': retention is {} s, it must not be negative", queue.name,
                                         queue.settings.retention->count()));
        }
    }
}

void check_handling(const Inspector& inspector, const SubscriptionPlan& plan, const std::string& name) {
    const SubscriptionSettings& settings = plan.settings;
    if (settings.batch) inspector.at_least(*settings.batch, 1U, name + "batch");
    if (settings.retry.base) inspector.at_least(*settings.retry.base, 1, name + "retry.base");
    if (settings.set_aside_after) inspector.at_least(*settings.set_aside_after, 0, name + "set_aside_after");
    if (settings.max_attempts) inspector.at_least(*settings.max_attempts, 1U, name + "max_attempts");
    inspector.at_least(settings.parked_keys, 1U, name + "parked_keys");
    if (!plan.on_lease) return;
    inspector.at_least(plan.lease.headroom, 0, name + "lease.headroom");
    inspector.expect(plan.lease.headroom < plan.lease.duration,
                     fmt::format("{}lease.headroom of {} ms leaves nothing of lease.duration of {} ms", name,
                                 plan.lease.headroom.count(), plan.lease.duration.count()));
}

void check_subscription(const Inspector& inspector, const OutboxPlan& plan, const SubscriptionPlan& subscription) {
    if (const auto fault = fault_of_name(subscription.name)) inspector.expect(false, "subscription " + *fault);
    const std::string name = fmt::format("subscription '{}': ", subscription.name);
    inspector.expect(subscription.on_message || subscription.on_batch || subscription.on_lease,
                     name + "the handler is empty");
    inspector.expect(!subscription.queues.empty(), name + "it names no queue");
    for (std::size_t i = 0; i < subscription.queues.size(); ++i) {
        const std::string& queue = subscription.queues[i];
        inspector.expect(i == 0 || queue != subscription.queues[i - 1],
                         fmt::format("{}queue '{}' is named twice", name, queue));
        std::vector<std::string> known;
        for (const QueuePlan& declared : plan.queues)
            known.push_back(declared.name);
        inspector.expect(
            std::ranges::find(known, queue) != known.end(),
            fmt::format("{}queue '{}' is not declared; there are: {}", name, queue, fmt::join(known, ", ")));
    }
    check_handling(inspector, subscription, name);
}

/// With what the processors' tuning or the profile says for the one that is left open.
void check_pauses(const Inspector& inspector, const SubscriptionPlan& plan, const core::Backoff& otherwise) {
    const core::Backoff pauses = retry_rules(plan.settings, otherwise).backoff;
    const auto in_ms = [](std::chrono::nanoseconds pause) {
        return std::chrono::duration<double, std::milli>(pause).count();
    };
    inspector.expect(pauses.initial <= pauses.max,
                     fmt::format("subscription '{}': retry.base of {} ms exceeds retry.max of {} ms", plan.name,
                                 in_ms(pauses.initial), in_ms(pauses.max)));
}

}  // namespace

WorkerPlan check(const OutboxPlan& plan, std::string_view source) {
    const Inspector inspector(source);
    check_settings(inspector, plan.settings);
    check_queues(inspector, plan.queues);
    std::set<std::string> names;
    for (const SubscriptionPlan& subscription : plan.subscriptions) {
        check_subscription(inspector, plan, subscription);
        inspector.expect(names.insert(subscription.name).second,
                         fmt::format("subscription '{}' is declared twice", subscription.name));
    }
    WorkerPlan workers;
    try {
        workers = {runtime::resolve("processor", plan.settings.processor, plan.profile.processor),
                   runtime::resolve("sequencer", plan.settings.sequencer, plan.profile.sequencer),
                   runtime::resolve("retention", plan.settings.retention, plan.profile.retention),
                   runtime::resolve("reconciler", plan.settings.reconciler, plan.profile.reconciler)};
    } catch (const runtime::InvalidSetting& e) {
        throw Error(ErrorKind::config, source, e.what(), std::current_exception());
    }
    for (const SubscriptionPlan& subscription : plan.subscriptions)
        check_pauses(inspector, subscription, workers.processor.retry);
    return workers;
}

}  // namespace sluice::outbox
