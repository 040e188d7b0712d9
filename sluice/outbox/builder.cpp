#include <algorithm>

#include "sluice/outbox/internal/outbox_plan.hpp"
#include "sluice/outbox/internal/running_outbox.hpp"
#include "sluice/outbox/outbox.hpp"

namespace sluice::outbox {

struct Outbox::Builder::State {
    std::shared_ptr<db::DataSource> source;
    runtime::Shard& shard;
    core::Logger log;
    core::Metrics& metrics;
    OutboxPlan plan;

    SubscriptionPlan& add(std::vector<std::string> queues, std::string name, SubscriptionSettings settings) {
        SubscriptionPlan subscription;
        std::ranges::sort(queues);
        subscription.name = std::move(name);
        subscription.queues = std::move(queues);
        subscription.settings = settings;
        plan.subscriptions.push_back(std::move(subscription));
        return plan.subscriptions.back();
    }
};

Outbox::Builder Outbox::builder(std::shared_ptr<db::DataSource> source, runtime::Shard& shard, core::Logger log,
                                core::Metrics& metrics) {
    return {std::move(source), shard, std::move(log), metrics};
}

Outbox::Builder::Builder(std::shared_ptr<db::DataSource> source, runtime::Shard& shard, core::Logger log,
                         core::Metrics& metrics)
    : state_(new State{std::move(source), shard, std::move(log), metrics, {}}) {}

Outbox::Builder::Builder(Builder&&) noexcept = default;
Outbox::Builder& Outbox::Builder::operator=(Builder&&) noexcept = default;
Outbox::Builder::~Builder() = default;

Outbox::Builder& Outbox::Builder::profile(runtime::Profile profile) {
    state_->plan.profile = profile;
    return *this;
}

Outbox::Builder& Outbox::Builder::settings(Settings settings) {
    state_->plan.settings = settings;
    return *this;
}

Outbox::Builder& Outbox::Builder::queue(std::string name, Lanes lanes, QueueSettings settings) {
    state_->plan.queues.push_back({std::move(name), lanes, settings});
    return *this;
}

Outbox::Builder& Outbox::Builder::transactional(std::string queue, std::string subscription,
                                                TransactionalHandler handler, SubscriptionSettings settings) {
    state_->add({std::move(queue)}, std::move(subscription), settings).on_message = std::move(handler);
    return *this;
}

Outbox::Builder& Outbox::Builder::batch_transactional(std::string queue, std::string subscription, BatchHandler handler,
                                                      SubscriptionSettings settings) {
    state_->add({std::move(queue)}, std::move(subscription), settings).on_batch = std::move(handler);
    return *this;
}

Outbox::Builder& Outbox::Builder::batch_merged(std::vector<std::string> queues, std::string subscription,
                                               BatchHandler handler, SubscriptionSettings settings) {
    SubscriptionPlan& plan = state_->add(std::move(queues), std::move(subscription), settings);
    plan.on_batch = std::move(handler);
    plan.order = Order::merged;
    return *this;
}

Outbox::Builder& Outbox::Builder::leased(std::string queue, std::string subscription, LeasedHandler handler,
                                         LeaseSettings lease, SubscriptionSettings settings) {
    SubscriptionPlan& plan = state_->add({std::move(queue)}, std::move(subscription), settings);
    plan.on_lease = std::move(handler);
    plan.lease = lease;
    return *this;
}

db::Task<std::unique_ptr<Outbox>> Outbox::Builder::start() {
    WorkerPlan workers = check(state_->plan, state_->source->name());
    auto outbox = std::make_unique<RunningOutbox>(state_->source, state_->shard, state_->log, state_->metrics,
                                                  state_->plan, workers);
    co_await outbox->start();
    co_return std::unique_ptr<Outbox>(std::move(outbox));
}

}  // namespace sluice::outbox
