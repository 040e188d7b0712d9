#include "sluice/outbox/internal/ack_flusher.hpp"

#include <utility>

#include "sluice/outbox/internal/settlement.hpp"

namespace sluice::outbox {

/// What one batch wants to have written.
struct AckFlusher::Order {
    Order(runtime::Shard& shard, std::vector<Write> order_writes) : writes(std::move(order_writes)), done(shard) {}

    std::vector<Write> writes;
    runtime::Wake done;
    bool taken = false;  // by a flush, which will end it
    bool ended = false;
    std::exception_ptr error;
};

AckFlusher::AckFlusher(std::shared_ptr<db::DataSource> source, runtime::Shard& shard)
    : source_(std::move(source)), shard_(shard) {}

AckFlusher::~AckFlusher() = default;

db::Task<void> AckFlusher::commit(std::vector<Write> writes) {
    auto order = std::make_shared<Order>(shard_, std::move(writes));
    waiting_.push_back(order);
    while (!order->ended) {
        if (worker_ != nullptr) worker_->notify();
        if (worker_ != nullptr || order->taken)
            co_await order->done.wait();
        else
            co_await flush();
    }
    if (order->error) std::rethrow_exception(order->error);
}

void AckFlusher::begin_stop() {
    worker_ = nullptr;
    for (const auto& order : waiting_)
        order->done.notify();
}

db::Task<runtime::Directive> AckFlusher::flush() {
    std::vector<std::shared_ptr<Order>> orders = std::exchange(waiting_, {});
    if (orders.empty()) co_return runtime::Directive::idle();
    for (const auto& order : orders)
        order->taken = true;
    const auto body = [this, &orders](db::UnitOfWork& unit) { return perform(unit, orders); };
    std::exception_ptr error;
    try {
        db::TransactionOptions options;
        options.retry_serialization = 2;
        co_await source_->transaction(options, body);
    } catch (...) {
        error = std::current_exception();
    }
    for (const auto& order : orders) {
        if (error) order->error = error;
        order->ended = true;
        order->done.notify();
    }
    co_return runtime::Directive::proceed(orders.size());
}

db::Task<void> AckFlusher::perform(db::UnitOfWork& unit, std::vector<std::shared_ptr<Order>>& orders) {
    for (const auto& order : orders)
        order->error = nullptr;  // of a try before
    co_await perform_lone_writes(unit, orders);
    for (const auto& order : orders) {
        if (order->writes.size() > 1) co_await perform_order(unit, *order);
    }
}

/// Nearly every order is one move of a cursor; those go in one round trip.
db::Task<void> AckFlusher::perform_lone_writes(db::UnitOfWork& unit, std::vector<std::shared_ptr<Order>>& orders) {
    std::vector<db::Statement> statements;
    std::vector<Order*> owners;
    for (const auto& order : orders) {
        if (order->writes.size() != 1) continue;
        statements.push_back(order->writes.front().statement);
        owners.push_back(order.get());
    }
    if (statements.empty()) co_return;
    const std::vector<db::Result> results = co_await unit.run(std::move(statements));
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].affected != 1) owners[i]->error = std::make_exception_ptr(FenceMissed());
    }
}

db::Task<void> AckFlusher::perform_order(db::UnitOfWork& unit, Order& order) {
    std::function<db::Task<void>(db::UnitOfWork&)> body = [&order](db::UnitOfWork& inner) {
        return perform_writes(inner, order.writes);
    };
    std::exception_ptr error;
    try {
        co_await unit.savepoint(std::move(body));
    } catch (...) {
        error = std::current_exception();
    }
    if (!error) co_return;
    if (fault_of_error(error) != Fault::cursor) std::rethrow_exception(error);
    order.error = error;
}

}  // namespace sluice::outbox
