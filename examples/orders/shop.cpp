#include "examples/orders/shop.hpp"

#include <fmt/format.h>

namespace orders {

const std::string& article_of(const StockEvent& event) {
    return std::visit([](const auto& e) -> const std::string& { return e.article; }, event);
}

const sluice::outbox::Queue<StockEvent>& stock_queue() {
    static const sluice::outbox::Queue<StockEvent> queue("stock", sluice::outbox::lanes(16), article_of);
    return queue;
}

StockDelta StockLevel::apply(StockState& state, const StockEvent& event) const {
    if (const auto* received = std::get_if<StockReceived>(&event)) {
        state.on_hand += received->quantity;
        return {state.on_hand, state.reserved, "restock", received->quantity, received->at_us};
    }
    const auto& placed = std::get<OrderPlaced>(event);
    state.reserved += placed.quantity;
    return {state.on_hand, state.reserved, "order", placed.quantity, placed.at_us};
}

std::vector<Article> catalogue(std::string_view tenant) {
    if (tenant == "shop_b") {
        return {{"B-1", "Bicycle bell, brass", 1'450},
                {"B-2", "Canvas pannier", 8'900},
                {"B-3", "Merino cap", 3'200},
                {"B-4", "Enamel mug", 1'200}};
    }
    return {{"A-1", "Walnut desk", 48'900},
            {"A-2", "Linen lampshade", 7'900},
            {"A-3", "Oak stool", 12'500},
            {"A-4", "Wool throw", 9'800},
            {"A-5", "Ceramic planter", 4'200}};
}

namespace {

std::vector<std::string> tables(std::string_view text, std::string_view integer, std::string_view options) {
    return {
        fmt::format("create table article(id {0} primary key, name {0} not null, price_cents {1} not null){2}", text,
                    integer, options),
        fmt::format("create table orders(id {0} primary key, article {0} not null references article(id), quantity {1} "
                    "not null check (quantity between 1 and 1000), placed_at {1} not null){2}",
                    text, integer, options),
        fmt::format("create table restocks(id {0} primary key, article {0} not null references article(id), quantity "
                    "{1} not null check (quantity between 1 and 100000), received_at {1} not null){2}",
                    text, integer, options),
    };
}

}  // namespace

std::vector<sluice::migrate::Migration> migrations() {
    using sluice::db::Dialect;
    return {
        {"orders",
         1,
         "shop",
         {{Dialect::sqlite, tables("text", "integer", " strict")}, {Dialect::postgres, tables("text", "bigint", "")}}}};
}

}  // namespace orders
