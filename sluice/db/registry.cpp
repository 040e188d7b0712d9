#include "sluice/db/registry.hpp"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/left_right.hpp"

namespace sluice::db {
namespace {

using Source = std::shared_ptr<DataSource>;

struct Names {
    std::map<std::string, Source, std::less<>> sources;
    std::string default_name;
};

Source look_up(const Names& names, std::string_view name) {
    const auto found = names.sources.find(name);
    return found == names.sources.end() ? nullptr : found->second;
}

[[noreturn]] void fail_config(std::string_view name, std::string message) {
    throw internal::failure(ErrorKind::config, name, std::move(message));
}

Task<std::unique_ptr<Connection>> acquire_from(Source source, AccessIntent intent, std::source_location borrower) {
    std::unique_ptr<Connection> connection = co_await source->acquire(intent, borrower);
    co_return connection;
}

}  // namespace

struct DataSourceRegistry::State {
    internal::LeftRight<Names> names;
    std::mutex changes;  // from a check to the change it allows
};

DataSourceRegistry::DataSourceRegistry() : state_(std::make_unique<State>()) {}
DataSourceRegistry::~DataSourceRegistry() = default;

void DataSourceRegistry::add(std::shared_ptr<DataSource> source) {
    const std::string name(source->name());
    const std::lock_guard lock(state_->changes);
    if (state_->names.read([&](const Names& names) { return look_up(names, name); })) {
        fail_config(name, "a data source of this name is registered already; use replace");
    }
    state_->names.change([&](Names& names) { names.sources.insert_or_assign(name, source); });
}

std::shared_ptr<DataSource> DataSourceRegistry::replace(std::shared_ptr<DataSource> source) {
    const std::string name(source->name());
    const std::lock_guard lock(state_->changes);
    Source before = find(name);
    state_->names.change([&](Names& names) { names.sources.insert_or_assign(name, source); });
    return before;
}

std::shared_ptr<DataSource> DataSourceRegistry::remove(std::string_view name) {
    const std::lock_guard lock(state_->changes);
    Source before = find(name);
    state_->names.change([&](Names& names) { names.sources.erase(names.sources.find(name)); });
    return before;
}

void DataSourceRegistry::declare_default(std::string_view name) {
    const std::lock_guard lock(state_->changes);
    state_->names.change([&](Names& names) { names.default_name = name; });
}

std::shared_ptr<DataSource> DataSourceRegistry::find(std::string_view name) const {
    Source found = state_->names.read([&](const Names& names) { return look_up(names, name); });
    if (!found) fail_config(name, "no data source of this name is registered");
    return found;
}

std::shared_ptr<DataSource> DataSourceRegistry::default_source() const {
    const std::string name = state_->names.read([](const Names& names) { return names.default_name; });
    if (name.empty()) fail_config({}, "no default data source was declared; name one with declare_default");
    return find(name);
}

std::vector<std::shared_ptr<DataSource>> DataSourceRegistry::iter() const {
    return state_->names.read([](const Names& names) {
        std::vector<Source> sources;
        sources.reserve(names.sources.size());
        if (Source first = look_up(names, names.default_name)) sources.push_back(std::move(first));
        for (const auto& [name, source] : names.sources) {
            if (name != names.default_name) sources.push_back(source);
        }
        return sources;
    });
}

Task<std::unique_ptr<Connection>> DataSourceRegistry::acquire(std::string_view name, AccessIntent intent,
                                                              ReadAfterWritePin& pin,
                                                              std::source_location borrower) const {
    Source source = find(name);  // before the first await: `name` may not live longer
    return acquire_from(std::move(source), pin.apply(intent), borrower);
}

}  // namespace sluice::db
