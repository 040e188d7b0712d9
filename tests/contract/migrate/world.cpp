#include "world.hpp"

#include <fmt/format.h>

namespace sluice::contract {

migrate::Migration step_of(int version, const std::vector<std::string>& statements) {
    migrate::Migration step{"shop", version, fmt::format("step{}", version), {}};
    for (const db::Dialect dialect : {db::Dialect::sqlite, db::Dialect::postgres, db::Dialect::mariadb})
        step.statements[dialect] = statements;
    return step;
}

std::vector<migrate::Migration> two_tables() {
    return {step_of(1, {"create table a(x integer)"}),
            step_of(2, {"create table b(x integer)", "insert into b(x) values (1)"})};
}

migrate::Report MigrateContract::run(std::vector<migrate::Migration> steps, migrate::Settings settings) {
    migrate::Runner runner({std::move(steps)}, {}, settings);
    return wait(runner.run(source()));
}

std::string MigrateContract::refusal(std::vector<migrate::Migration> steps, migrate::Settings settings) {
    try {
        run(std::move(steps), settings);
    } catch (const db::Error& error) {
        return error.what();
    }
    return "accepted";
}

bool MigrateContract::has_table(const std::string& name) {
    const auto look = [](db::DataSource& source, std::string table) -> Task<bool> {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        try {
            co_await connection->query("select count(*) from " + table);
        } catch (const db::Error& error) {
            if (error.kind() != db::ErrorKind::query) throw;
            co_return false;
        }
        co_return true;
    };
    return wait(look(source(), name));
}

std::string name_of_driver(const ::testing::TestParamInfo<const Driver*>& given) {
    return given.param->name();
}

}  // namespace sluice::contract
