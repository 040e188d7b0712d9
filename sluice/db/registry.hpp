// Name → data source, changed at run time, looked up without a lock. An unknown name is a `config` error: there is no
// silent default.
//
//     db::DataSourceRegistry registry;
//     registry.add(std::move(shop_a));
//     auto connection = co_await registry.acquire("shop_a", db::AccessIntent::read, pin);
#pragma once

#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "sluice/db/data_source.hpp"
#include "sluice/db/pin.hpp"

namespace sluice::db {

/// Thread-safe. Look-ups read one atomic snapshot.
class DataSourceRegistry {
public:
    DataSourceRegistry();
    ~DataSourceRegistry();

    /// A name that is taken is a `config` error.
    void add(std::shared_ptr<DataSource> source);
    /// Puts `source` in the place of the one with its name, which is answered for the caller to close; unknown:
    /// `config`.
    [[nodiscard]] std::shared_ptr<DataSource> replace(std::shared_ptr<DataSource> source);
    /// Takes the source out; look-ups fail from now on. Answered for the caller to close, which drains it.
    [[nodiscard]] std::shared_ptr<DataSource> remove(std::string_view name);
    /// Names the source of requests without a tenant; it is never used for a tenant whose source is unknown.
    void declare_default(std::string_view name);

    /// Throws `config` with the name asked for.
    [[nodiscard]] std::shared_ptr<DataSource> find(std::string_view name) const;
    /// Throws `config` unless a default was declared.
    [[nodiscard]] std::shared_ptr<DataSource> default_source() const;
    /// The default first, then by name.
    [[nodiscard]] std::vector<std::shared_ptr<DataSource>> iter() const;

    /// Applies the pin, then acquires.
    Task<std::unique_ptr<Connection>> acquire(std::string_view name, AccessIntent intent, ReadAfterWritePin& pin,
                                              std::source_location borrower = std::source_location::current()) const;
    /// `DataSource::transaction` on the source of this name; the pin follows the unit unless it is read-only.
    template <class Body>
    auto transaction(std::string_view name, TransactionOptions options, ReadAfterWritePin& pin, Body body,
                     std::source_location borrower = std::source_location::current()) const
        -> std::invoke_result_t<Body&, UnitOfWork&> {
        const std::shared_ptr<DataSource> source = find(name);
        // The closure lives as long as the transaction, and keeps the source for it.
        auto pinned = [source, &pin, body = std::move(body), writes = !options.read_only](UnitOfWork& unit) mutable {
            if (writes) pin.follow(unit);
            return body(unit);
        };
        return source->transaction(options, std::move(pinned), borrower);
    }

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::db
