#include <unistd.h>

#include <fmt/format.h>

#include "driver.hpp"

namespace sluice::contract {
namespace {

constexpr int kWriters = 8;

Task<void> insert_pair(db::UnitOfWork& unit, std::int64_t id) {
    co_await insert_item(unit, id);
    co_await unit.execute("insert into twin(id) values ($1)", id);
}

Task<void> insert_for_ever(db::DataSource& source, std::int64_t& next_id) {
    const db::TransactionOptions options;
    for (;;) {
        const std::int64_t id = next_id++;
        const auto body = [id](db::UnitOfWork& unit) { return insert_pair(unit, id); };
        co_await source.transaction(options, body);
        const std::string line = fmt::format("{}\n", id);
        if (write(STDOUT_FILENO, line.data(), line.size()) < 0) co_return;
    }
}

}  // namespace

int run_ack_child(const std::string& driver_name, const std::string& location, std::int64_t first_id) {
    runtime::ShardGroup shards(1);
    shards.start();
    core::Metrics metrics;
    for (const Driver* driver : drivers()) {
        if (driver->name() != driver_name) continue;
        const auto source = driver->open(location, metrics);
        std::int64_t next_id = first_id;
        std::vector<std::future<void>> writers;
        for (int i = 0; i < kWriters; ++i) {
            writers.push_back(runtime::start_on(shards.at(0), insert_for_ever(*source, next_id)));
        }
        for (std::future<void>& writer : writers)
            writer.get();
    }
    return 1;
}

}  // namespace sluice::contract
