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

/// What the databases call the same things.
struct Types {
    std::string_view id;  ///< text that may be a key
    std::string_view text;
    std::string_view integer;
    std::string_view options;  ///< of a table
};

std::vector<std::string> tables(const Types& types) {
    const auto create = [&types](std::string_view table) {
        return fmt::format(fmt::runtime(table), fmt::arg("id", types.id), fmt::arg("text", types.text),
                           fmt::arg("integer", types.integer), fmt::arg("options", types.options));
    };
    return {
        create(
            "create table article(id {id} primary key, name {text} not null, price_cents {integer} not null){options}"),
        create(
            "create table orders(id {id} primary key, article {id} not null references article(id), "
            "quantity {integer} not null check (quantity between 1 and 1000), placed_at {integer} not null){options}"),
        create("create table restocks(id {id} primary key, article {id} not null references article(id), "
               "quantity {integer} not null check (quantity between 1 and 100000), "
               "received_at {integer} not null){options}"),
    };
}

constexpr Types kSqlite{"text", "text", "integer", " strict"};
constexpr Types kPostgres{"text", "text", "bigint", ""};
// A key has a length there, and texts compare byte by byte only where the table says so.
constexpr Types kMariadb{"varchar(64)", "text", "bigint", " engine = innodb, collate = utf8mb4_nopad_bin"};

}  // namespace

std::vector<sluice::migrate::Migration> migrations() {
    using sluice::db::Dialect;
    return {{"orders",
             1,
             "shop",
             {{Dialect::sqlite, tables(kSqlite)},
              {Dialect::postgres, tables(kPostgres)},
              {Dialect::mariadb, tables(kMariadb)}}}};
}

}  // namespace orders
