// The shop over HTTP: articles, orders, restocks.
#pragma once

#include <string>

#include <boost/describe/class.hpp>

#include "sluice/app/app.hpp"
#include "sluice/http/router.hpp"

namespace orders {

/// Body of `POST /orders` and `POST /restock`. The client chooses the id, so a request whose answer was lost can be
/// sent again: the same id with the same content answers what is stored.
struct Change {
    std::string id;
    std::string article;
    std::int64_t quantity = 0;
};
BOOST_DESCRIBE_STRUCT(Change, (), (id, article, quantity))

/// `GET /articles`, `POST /orders`, `POST /restock`.
void add_routes(sluice::http::Router& router);

/// Puts the catalogue and its first stock into a tenant's database that has none.
sluice::db::Task<void> seed(sluice::app::TenantParts& parts);

}  // namespace orders
