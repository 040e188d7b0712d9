// Opening a connection: the name is resolved by Asio, because libpq would block; then libpq's own steps, each with a
// wait.
#include <algorithm>

#include <fmt/format.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/postgres/internal/failure.hpp"
#include "sluice/db/postgres/internal/link.hpp"
#include "sluice/runtime/cancellation.hpp"

namespace sluice::db::postgres {
namespace {

using Keywords = std::vector<std::pair<std::string, std::string>>;
using db::internal::Alarm;
using db::internal::ForeignSocket;
using db::internal::Ready;
using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, runtime::Executor>;

bool has_keyword(const Keywords& parameters, std::string_view keyword) {
    return std::ranges::any_of(parameters, [&](const auto& each) { return each.first == keyword; });
}

/// So that a host that died is noticed by statements under way, and by a cancel request, within half a minute.
void add_defaults(Keywords& parameters) {
    const Keywords defaults{{"client_encoding", "UTF8"}, {"application_name", "sluice"},
                            {"keepalives_idle", "10"},   {"keepalives_interval", "5"},
                            {"keepalives_count", "3"},   {"tcp_user_timeout", "25000"}};
    for (const auto& each : defaults) {
        if (!has_keyword(parameters, each.first)) parameters.push_back(each);
    }
}

Task<Keywords> resolved(const LinkSettings& settings, Alarm& alarm) {
    Keywords parameters = settings.dsn.parameters;
    add_defaults(parameters);
    boost::system::error_code no_address;
    boost::asio::ip::make_address(settings.dsn.host, no_address);
    if (!no_address || settings.dsn.is_socket_folder() || has_keyword(parameters, "hostaddr")) co_return parameters;
    Resolver resolver(co_await boost::asio::this_coro::executor);
    const Alarm::Ends ends(alarm, [&resolver] { resolver.cancel(); });
    const auto found = co_await resolver.async_resolve(settings.dsn.host, settings.dsn.port, runtime::use_task);
    std::string hosts;
    std::string addresses;
    std::string ports;
    for (const auto& entry : found) {
        const char* const comma = hosts.empty() ? "" : ",";
        hosts += comma + settings.dsn.host;
        addresses += comma + entry.endpoint().address().to_string();
        ports += comma + settings.dsn.port;
    }
    for (auto& [keyword, value] : parameters) {
        if (keyword == "host") value = hosts;
        if (keyword == "port") value = ports;
    }
    parameters.emplace_back("hostaddr", addresses);
    co_return parameters;
}

ConnectionHandle begin_connecting(const Keywords& parameters) {
    std::vector<const char*> keywords;
    std::vector<const char*> values;
    for (const auto& [keyword, value] : parameters) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    ConnectionHandle connection(PQconnectStartParams(keywords.data(), values.data(), 0));
    // The reason of a refusal as its code: no user name, and the same in every language.
    if (connection) PQsetErrorVerbosity(connection.get(), PQERRORS_SQLSTATE);
    return connection;
}

/// libpq opens another socket for the next address, so each wait watches the one it has now.
Task<void> until_connected(PGconn* connection, Alarm& alarm) {
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        {
            ForeignSocket socket(PQsocket(connection));
            const Alarm::Ends ends(alarm, [&socket] { socket.cancel(); });
            const Ready wanted = step == PGRES_POLLING_READING ? Ready::to_read : Ready::to_write;
            co_await socket.wait(wanted, Hearing::normal);
        }
        step = PQconnectPoll(connection);
    }
}

Task<ConnectionHandle> opened(const LinkSettings& settings, Alarm& alarm) {
    const Keywords parameters = co_await resolved(settings, alarm);
    ConnectionHandle connection = begin_connecting(parameters);
    if (!connection) throw std::bad_alloc();
    if (PQstatus(connection.get()) != CONNECTION_BAD) co_await until_connected(connection.get(), alarm);
    co_return connection;
}

void ignore_notice(void*, const PGresult*) {}

}  // namespace

Task<std::unique_ptr<Link>> Link::connect(std::shared_ptr<const LinkSettings> settings,
                                          std::shared_ptr<Canceller> canceller, core::SteadyTime deadline) {
    const auto until = std::min(deadline, std::chrono::steady_clock::now() + settings->connect_timeout);
    Alarm alarm(until);
    ConnectionHandle connection;
    std::exception_ptr error;
    try {
        connection = co_await opened(*settings, alarm);
    } catch (const boost::system::system_error&) {
        error = std::current_exception();
    }
    if (alarm.rang()) {
        throw db::internal::failure(ErrorKind::connection, settings->source,
                                    fmt::format("cannot connect to {}: no answer in time", settings->dsn.place), error);
    }
    if (error && runtime::is_cancellation(error)) std::rethrow_exception(error);
    if (error) {
        throw db::internal::failure(
            ErrorKind::connection, settings->source,
            fmt::format("cannot connect to {}: the host's name is not found", settings->dsn.place), error);
    }
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        throw connect_error(connection.get(), settings->source, settings->dsn.place);
    }
    PQsetErrorVerbosity(connection.get(), PQERRORS_DEFAULT);
    PQsetNoticeReceiver(connection.get(), ignore_notice, nullptr);
    PQsetnonblocking(connection.get(), 1);
    auto link = std::make_unique<Link>(std::move(connection), std::move(settings), std::move(canceller));
    link->enter_shard();
    co_return link;
}

}  // namespace sluice::db::postgres
