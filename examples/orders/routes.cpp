#include "examples/orders/routes.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <optional>
#include <vector>

#include "examples/orders/shop.hpp"
#include "sluice/core/json.hpp"
#include "sluice/db/error.hpp"
#include "sluice/http/problem.hpp"

namespace orders {
namespace {

using sluice::db::Task;
using sluice::http::RequestContext;
using sluice::http::Response;

constexpr std::int64_t kFirstStock = 500;

/// One kind of change: where its rows are kept and which event it publishes.
struct Ledger {
    std::string_view table;
    std::string_view time_column;
    std::int64_t largest_quantity;
    StockEvent (*event)(const Change& change, std::int64_t at_us);
};

constexpr Ledger kOrders{"orders", "placed_at", 1'000, [](const Change& c, std::int64_t at_us) {
                             return StockEvent(OrderPlaced{c.id, c.article, c.quantity, at_us});
                         }};
constexpr Ledger kRestocks{"restocks", "received_at", 100'000, [](const Change& c, std::int64_t at_us) {
                               return StockEvent(StockReceived{c.id, c.article, c.quantity, at_us});
                           }};

std::int64_t wall_us() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::optional<std::string> complaint(const Change& change, const Ledger& ledger) {
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-'; };
    if (change.id.empty() || change.id.size() > 64 || !std::ranges::all_of(change.id, fits))
        return "$.id: give 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'";
    if (change.quantity < 1 || change.quantity > ledger.largest_quantity)
        return fmt::format("$.quantity: {} is outside 1 to {}", change.quantity, ledger.largest_quantity);
    return std::nullopt;
}

enum class Stored { now, before, otherwise, unknown_article };

/// Writes the row and its event in one unit of work, or finds what an earlier request with this id has written.
Task<Stored> store(sluice::db::UnitOfWork& unit, Change change, const Ledger& ledger) {
    const auto article = co_await unit.query_one("select id from article where id = $1", change.article);
    if (!article) co_return Stored::unknown_article;
    const auto earlier =
        co_await unit.query_one(fmt::format("select article, quantity from {} where id = $1", ledger.table), change.id);
    if (earlier) {
        const bool same =
            earlier->get<std::string>(0) == change.article && earlier->get<std::int64_t>(1) == change.quantity;
        co_return same ? Stored::before : Stored::otherwise;
    }
    const std::int64_t at_us = wall_us();
    co_await unit.execute(fmt::format("insert into {}(id, article, quantity, {}) values ($1, $2, $3, $4)", ledger.table,
                                      ledger.time_column),
                          change.id, change.article, change.quantity, at_us);
    stock_queue().publish(unit, ledger.event(change, at_us));
    co_return Stored::now;
}

/// A request that was sent twice may run twice at once: the second one finds the first one's row when it tries again.
Task<Stored> store_once(sluice::db::DataSource& source, Change change, const Ledger& ledger) {
    auto body = [&](sluice::db::UnitOfWork& unit) { return store(unit, change, ledger); };
    sluice::db::TransactionOptions options;
    options.retry_serialization = 5;
    try {
        const Stored stored = co_await source.transaction(options, body);
        co_return stored;
    } catch (const sluice::db::Error& error) {
        if (error.kind() != sluice::db::ErrorKind::conflict) throw;
    }
    co_return co_await source.transaction(options, body);
}

Task<Response> accept(RequestContext& request, Change change, const Ledger& ledger) {
    if (const auto text = complaint(change, ledger)) co_return sluice::http::problem(request, 422, *text);
    const Stored stored = co_await store_once(*request.source, change, ledger);
    switch (stored) {
        case Stored::now:
            co_return Response::json(201, sluice::core::json::encode(change));
        case Stored::before:
            co_return Response::json(200, sluice::core::json::encode(change));
        case Stored::unknown_article:
            co_return sluice::http::problem(
                request, 422,
                fmt::format("$.article: there is no article '{}'; GET /articles lists them", change.article));
        case Stored::otherwise:
            break;
    }
    co_return sluice::http::problem(
        request, 409, fmt::format("$.id: '{}' was used with another content; choose a new id", change.id));
}

Task<Response> place_order(RequestContext& request, Change change) {
    return accept(request, std::move(change), kOrders);
}

Task<Response> restock(RequestContext& request, Change change) {
    return accept(request, std::move(change), kRestocks);
}

Task<Response> list_articles(RequestContext& request) {
    const auto connection = co_await request.source->acquire(sluice::db::AccessIntent::read);
    const auto rows = co_await connection->query("select id, name, price_cents from article order by id");
    std::vector<Article> articles;
    for (const auto& row : rows)
        articles.push_back({row.get<std::string>(0), row.get<std::string>(1), row.get<std::int64_t>(2)});
    co_return Response::json(200, sluice::core::json::encode(articles));
}

Task<void> write_catalogue(sluice::db::UnitOfWork& unit, std::string tenant) {
    const auto first = co_await unit.query_one("select id from article limit 1");
    if (first) co_return;
    for (const Article& article : catalogue(tenant)) {
        co_await unit.execute("insert into article(id, name, price_cents) values ($1, $2, $3)", article.id,
                              article.name, article.price_cents);
        const Change change{"first-" + article.id, article.id, kFirstStock};
        co_await store(unit, change, kRestocks);
    }
}

}  // namespace

void add_routes(sluice::http::Router& router) {
    router.get("/articles", list_articles);
    router.post<Change>("/orders", place_order);
    router.post<Change>("/restock", restock);
}

Task<void> seed(sluice::app::TenantParts& parts) {
    const std::string tenant = parts.id.text();
    co_await parts.database->transaction(
        {}, [&](sluice::db::UnitOfWork& unit) -> Task<void> { return write_catalogue(unit, tenant); });
}

}  // namespace orders
