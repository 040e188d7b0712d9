// The shop's own words: its tables, its events and the stock projection. Everything else in this example is wiring.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/describe/class.hpp>

#include "sluice/migrate/migration.hpp"
#include "sluice/outbox/queue.hpp"

namespace orders {

struct StockReceived {
    std::string id;
    std::string article;
    std::int64_t quantity = 0;
    std::int64_t at_us = 0;  ///< wall clock inside the unit of work, for the page's latency figure
};
BOOST_DESCRIBE_STRUCT(StockReceived, (), (id, article, quantity, at_us))

struct OrderPlaced {
    std::string id;
    std::string article;
    std::int64_t quantity = 0;
    std::int64_t at_us = 0;
};
BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (id, article, quantity, at_us))

using StockEvent = std::variant<StockReceived, OrderPlaced>;

[[nodiscard]] const std::string& article_of(const StockEvent& event);

/// The one queue of the shop; messages of one article keep their order.
[[nodiscard]] const sluice::outbox::Queue<StockEvent>& stock_queue();

/// What the page shows of one article. Available is on_hand - reserved and may be negative: a backorder.
struct StockState {
    std::int64_t on_hand = 0;
    std::int64_t reserved = 0;
};
BOOST_DESCRIBE_STRUCT(StockState, (), (on_hand, reserved))

struct StockDelta {
    std::int64_t on_hand = 0;
    std::int64_t reserved = 0;
    std::string cause;  ///< "order" or "restock"
    std::int64_t quantity = 0;
    std::int64_t at_us = 0;
};
BOOST_DESCRIBE_STRUCT(StockDelta, (), (on_hand, reserved, cause, quantity, at_us))

struct StockLevel {
    using Event = StockEvent;
    using State = StockState;
    using Delta = StockDelta;
    static constexpr std::string_view name = "stock_level";
    static constexpr int state_version = 1;

    std::string key(const Event& event) const { return article_of(event); }
    Delta apply(State& state, const Event& event) const;
};

struct Article {
    std::string id;
    std::string name;
    std::int64_t price_cents = 0;
};
BOOST_DESCRIBE_STRUCT(Article, (), (id, name, price_cents))

/// The catalogue that a tenant's database starts with.
[[nodiscard]] std::vector<Article> catalogue(std::string_view tenant);

/// Tables article, orders and restocks.
[[nodiscard]] std::vector<sluice::migrate::Migration> migrations();

}  // namespace orders
