#include "bench/facade_work.hpp"

#include <sqlite3.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <endian.h>
#include <fmt/format.h>
#include <libpq-fe.h>

namespace sluice::bench {
namespace {

std::int64_t sum_of(const db::Result& result) {
    const db::Row& row = result.rows.at(0);
    return row.get<std::int64_t>(0) + static_cast<std::int64_t>(row.get<std::string>(1).size());
}

struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    void operator()(PGresult* result) const noexcept { PQclear(result); }
    void operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Server = std::shared_ptr<PGconn>;  // shared by the copies of a reader
using Answer = std::unique_ptr<PGresult, Finish>;

[[noreturn]] void give_up(std::string_view what, const char* why) {
    throw std::runtime_error(fmt::format("{}: {}", what, why));
}

Server prepared_server(const std::string& address) {
    Server server(PQconnectdb(address.c_str()), Finish());
    if (PQstatus(server.get()) != CONNECTION_OK) give_up("libpq", PQerrorMessage(server.get()));
    const Answer prepared(PQprepare(server.get(), "article", kSelect, 0, nullptr));
    if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) give_up("libpq", PQerrorMessage(server.get()));
    return server;
}

/// The key in network byte order, as libpq takes a bigint in binary.
struct Key {
    explicit Key(int number) : bits(htobe64(static_cast<std::uint64_t>(key_of(number)))) {}
    std::uint64_t bits;
    std::array<const char*, 1> values{reinterpret_cast<const char*>(&bits)};
    std::array<int, 1> lengths{sizeof bits};
    std::array<int, 1> formats{1};
};

std::int64_t sum_of(const PGresult* result) {
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) give_up("libpq", "no row");
    const std::string name(PQgetvalue(result, 0, 1), static_cast<std::size_t>(PQgetlength(result, 0, 1)));
    return std::strtoll(PQgetvalue(result, 0, 0), nullptr, 10) + static_cast<std::int64_t>(name.size());
}

/// Sends one round trip's statements; libpq keeps them until the synchronisation.
void send_trip(PGconn* server, int first, int count) {
    for (int i = first; i < first + count; ++i) {
        const Key key(i);
        if (PQsendQueryPrepared(server, "article", 1, key.values.data(), key.lengths.data(), key.formats.data(), 0) ==
            0)
            give_up("libpq", PQerrorMessage(server));
    }
    if (PQpipelineSync(server) == 0) give_up("libpq", PQerrorMessage(server));
}

std::int64_t take_trip(PGconn* server, int count) {
    std::int64_t sum = 0;
    for (int i = 0; i < count; ++i) {
        const Answer answer(PQgetResult(server));
        sum += sum_of(answer.get());
        const Answer none(PQgetResult(server));
        if (none) give_up("libpq", "two results of one statement");
    }
    const Answer synchronised(PQgetResult(server));
    if (PQresultStatus(synchronised.get()) != PGRES_PIPELINE_SYNC) give_up("libpq", "no end of the round trip");
    return sum;
}

}  // namespace

db::Task<void> make_articles(db::DataSource& source) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(kArticle);
    db::BulkInsert rows;
    rows.table = "article";
    rows.columns = {"id", "name"};
    for (std::int64_t id = 1; id <= kArticles; ++id)
        rows.rows.push_back({id, fmt::format("article number {}", id)});
    co_await connection->bulk(std::move(rows));
}

db::Task<std::int64_t> read_through_facade(db::DataSource& source, int count) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    std::int64_t sum = 0;
    for (int i = 0; i < count; ++i) {
        const db::Result result = co_await connection->query(kSelect, key_of(i));
        sum += sum_of(result);
    }
    co_return sum;
}

db::Task<std::int64_t> read_in_batches(db::DataSource& source, int count) {
    const auto connection = co_await source.acquire(db::AccessIntent::read);
    std::int64_t sum = 0;
    for (int i = 0; i < count; i += kInOneTrip) {
        std::vector<db::Statement> statements;
        statements.reserve(kInOneTrip);
        for (int j = i; j < i + kInOneTrip; ++j)
            statements.push_back(db::statement(kSelect, key_of(j)));
        const std::vector<db::Result> results = co_await connection->run(std::move(statements));
        for (const db::Result& result : results)
            sum += sum_of(result);
    }
    co_return sum;
}

Read read_by_libpq(const std::string& address) {
    return [server = prepared_server(address)](int count) {
        std::int64_t sum = 0;
        for (int i = 0; i < count; ++i) {
            const Key key(i);
            const Answer answer(PQexecPrepared(server.get(), "article", 1, key.values.data(), key.lengths.data(),
                                               key.formats.data(), 0));
            sum += sum_of(answer.get());
        }
        return sum;
    };
}

Read read_by_libpq_pipeline(const std::string& address) {
    Server server = prepared_server(address);
    if (PQenterPipelineMode(server.get()) == 0) give_up("libpq", PQerrorMessage(server.get()));
    return [server = std::move(server)](int count) {
        std::int64_t sum = 0;
        for (int i = 0; i < count; i += kInOneTrip) {
            send_trip(server.get(), i, kInOneTrip);
            sum += take_trip(server.get(), kInOneTrip);
        }
        return sum;
    };
}

Read read_by_sqlite(const std::string& path) {
    sqlite3* opened = nullptr;
    if (sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK)
        give_up("sqlite3", sqlite3_errmsg(opened));
    std::shared_ptr<sqlite3> database(opened, Finish());  // shared by the copies of a reader, as the statement is
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(opened, kSelect, -1, &made, nullptr) != SQLITE_OK)
        give_up("sqlite3", sqlite3_errmsg(opened));
    std::shared_ptr<sqlite3_stmt> statement(made, Finish());
    return [database = std::move(database), statement = std::move(statement)](int count) {
        sqlite3_stmt* const select = statement.get();
        std::int64_t sum = 0;
        for (int i = 0; i < count; ++i) {
            sqlite3_bind_int64(select, 1, key_of(i));
            if (sqlite3_step(select) != SQLITE_ROW) give_up("sqlite3", "no row");
            const std::string name(reinterpret_cast<const char*>(sqlite3_column_text(select, 1)),
                                   static_cast<std::size_t>(sqlite3_column_bytes(select, 1)));
            sum += sqlite3_column_int64(select, 0) + static_cast<std::int64_t>(name.size());
            sqlite3_reset(select);
        }
        return sum;
    };
}

}  // namespace sluice::bench
