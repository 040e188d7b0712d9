// Opening a connection. The name is resolved by Asio, because Connector/C would block; then its own non-blocking steps.
// It has none for a TLS handshake, so with TLS all of it happens on the helper thread.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include <fmt/format.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/mariadb/internal/link.hpp"
#include "sluice/db/mariadb/internal/server_rules.hpp"
#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::db::mariadb {
namespace {

using db::internal::Alarm;
using db::internal::ForeignSocket;
using db::internal::Ready;
using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, runtime::Executor>;

/// The library's calls run on a stack of their own; this one has room for what a sanitizer adds.
constexpr std::size_t kCallStack = 256 * 1024;
/// FOUND_ROWS: an update counts the rows it found, as on the other databases.
constexpr unsigned long kClientFlags = CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS;
/// No plugin that hands the password to whoever asks.
constexpr const char* kAuthentications = "mysql_native_password,client_ed25519";

/// Standard strings, quotes and `||`; nothing is stored that is not what was said. docs/mariadb.md, "Session".
constexpr std::string_view kSqlMode =
    "ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,"
    "NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO,SIMULTANEOUS_ASSIGNMENT";

std::string session_sql(const Dsn& dsn) {
    std::string sql = fmt::format("SET autocommit = 1, time_zone = '+00:00', sql_mode = '{}'", kSqlMode);
    if (!dsn.max_statement_time.empty()) sql += ", max_statement_time = " + dsn.max_statement_time;
    return sql;
}

const char* or_null(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}

void set_tls(MYSQL* connection, const Dsn& dsn) {
    const my_bool on = 1;
    mysql_ssl_set(connection, or_null(dsn.key), or_null(dsn.certificate), or_null(dsn.root_certificate), nullptr,
                  nullptr);
    mysql_options(connection, MYSQL_OPT_SSL_ENFORCE, &on);
    if (dsn.tls == TlsMode::verify_full) mysql_options(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    if (!dsn.tls_versions.empty()) mysql_options(connection, MARIADB_OPT_TLS_VERSION, dsn.tls_versions.c_str());
}

ConnectionHandle made_handle(const LinkSettings& settings) {
    static std::once_flag once;  // the library's own first time is not thread-safe
    std::call_once(once, [] { mysql_server_init(0, nullptr, nullptr); });
    ConnectionHandle connection(mysql_init(nullptr));
    if (!connection) throw std::bad_alloc();
    const unsigned off = 0;
    const unsigned seconds = static_cast<unsigned>((settings.connect_timeout.count() + 999) / 1'000);
    const unsigned protocol = settings.dsn.server.is_path() ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    MYSQL* const handle = connection.get();
    mysql_options(handle, MYSQL_OPT_NONBLOCK, &kCallStack);
    mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options(handle, MYSQL_INIT_COMMAND, session_sql(settings.dsn).c_str());
    mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH, kAuthentications);
    mysql_options4(handle, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "sluice");
    if (settings.dsn.tls == TlsMode::disable) return connection;
    // Only the helper thread waits inside the library.
    mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    set_tls(handle, settings.dsn);
    return connection;
}

/// So that a host that died is noticed by statements under way within half a minute.
void set_keepalive(int socket) {
    const auto set = [socket](int level, int option, int value) {
        ::setsockopt(socket, level, option, &value, sizeof value);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, 25'000);
}

Task<std::vector<std::string>> resolved(const Dsn& dsn, Alarm& alarm) {
    boost::system::error_code no_address;
    boost::asio::ip::make_address(dsn.server.host, no_address);
    const bool as_it_is = !no_address || dsn.server.is_path() || dsn.tls != TlsMode::disable;
    if (as_it_is) co_return std::vector<std::string>{dsn.server.host};
    Resolver resolver(co_await boost::asio::this_coro::executor);
    const Alarm::Ends ends(alarm, [&resolver] { resolver.cancel(); });
    const auto found = co_await resolver.async_resolve(dsn.server.host, dsn.server.port, runtime::use_task);
    std::vector<std::string> addresses;
    for (const auto& entry : found)
        addresses.push_back(entry.endpoint().address().to_string());
    co_return addresses;
}

/// Everything that `mysql_real_connect` wants.
struct Target {
    const char* host;
    const char* user;
    const char* password;
    const char* database;
    unsigned port;
    const char* socket;
};

Target target_of(const Dsn& dsn, const std::string& address) {
    const bool path = dsn.server.is_path();
    return {path ? nullptr : address.c_str(),
            dsn.server.user.c_str(),
            dsn.server.password.c_str(),
            dsn.server.database.c_str(),
            dsn.port,
            path ? address.c_str() : nullptr};
}

/// Ends a connect that is not waited for any more.
struct Unwinding {
    MYSQL* connection;
    MYSQL** connected;
    int waits;
    ~Unwinding() {
        while (waits != 0)
            waits = mysql_real_connect_cont(connected, connection, MYSQL_WAIT_TIMEOUT);
    }
};

/// The library may open another socket for its next step, so each wait watches the one it has now. An alarm ends it.
Task<void> wait_for_step(int descriptor, int waits, Alarm& alarm, Hearing hearing) {
    ForeignSocket socket(descriptor);
    const Alarm::Ends ends(alarm, [&socket] { socket.cancel(); });
    const bool writes = (waits & MYSQL_WAIT_WRITE) != 0;
    const bool reads = (waits & MYSQL_WAIT_READ) != 0;
    const Ready wanted = writes && reads ? Ready::either : writes ? Ready::to_write : Ready::to_read;
    try {
        co_await socket.wait(wanted, hearing);
    } catch (const boost::system::system_error&) {
        if (!alarm.rang()) throw;
    }
}

/// Answers whether it is connected; the handle has the reason if not.
Task<bool> connect_here(MYSQL* connection, Target to, Alarm& alarm, Hearing hearing) {
    MYSQL* connected = nullptr;
    Unwinding call{connection, &connected, 0};
    call.waits = mysql_real_connect_start(&connected, connection, to.host, to.user, to.password, to.database, to.port,
                                          to.socket, kClientFlags);
    while (call.waits != 0) {
        co_await wait_for_step(mysql_get_socket(connection), call.waits, alarm, hearing);
        if (alarm.rang()) co_return false;
        call.waits = mysql_real_connect_cont(&connected, connection, call.waits);
    }
    co_return connected != nullptr;
}

/// Not cancellable; bounded by the library's own connect timeout.
Task<bool> connect_on_helper(MYSQL* connection, Target to, const LinkSettings& settings) {
    auto start = [&](runtime::Answer<bool> answer) {
        settings.helper->post([connection, to, answer = std::move(answer)]() mutable {
            const MYSQL* const connected = mysql_real_connect(connection, to.host, to.user, to.password, to.database,
                                                              to.port, to.socket, kClientFlags);
            answer(connected != nullptr);
        });
    };
    const bool connected = co_await runtime::await_foreign<bool>(start);
    if (connected) {
        const int socket = mysql_get_socket(connection);
        ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
    }
    co_return connected;
}

}  // namespace

Task<std::unique_ptr<Link>> Link::connect(std::shared_ptr<const LinkSettings> settings, core::SteadyTime deadline) {
    const auto until = std::min(deadline, std::chrono::steady_clock::now() + settings->connect_timeout);
    std::vector<std::string> addresses;
    std::exception_ptr error;
    Alarm alarm(until);
    try {
        addresses = co_await resolved(settings->dsn, alarm);
    } catch (const boost::system::system_error&) {
        error = std::current_exception();
    }
    if (error && !alarm.rang() && runtime::is_cancellation(error)) std::rethrow_exception(error);
    if (error) {
        const std::string_view why = alarm.rang() ? "no answer in time" : "the host's name is not found";
        throw db::internal::failure(ErrorKind::connection, settings->source,
                                    fmt::format("cannot connect to {}: {}", settings->dsn.place, why), error);
    }
    for (std::size_t i = 0;; ++i) {
        try {
            std::unique_ptr<Link> link = co_await open(settings, addresses.at(i), until, Hearing::normal);
            co_return link;
        } catch (const Error& failure) {
            if (failure.kind() != ErrorKind::connection || i + 1 >= addresses.size()) throw;
        }
    }
}

Task<std::unique_ptr<Link>> Link::open(std::shared_ptr<const LinkSettings> settings, std::string address,
                                       core::SteadyTime deadline, Hearing hearing) {
    Alarm alarm(deadline);
    ConnectionHandle connection = made_handle(*settings);
    const Target target = target_of(settings->dsn, address);
    bool connected = false;
    if (settings->dsn.tls == TlsMode::disable) {
        connected = co_await connect_here(connection.get(), target, alarm, hearing);
    } else {
        connected = co_await connect_on_helper(connection.get(), target, *settings);
    }
    if (!connected && alarm.rang()) {
        throw db::internal::failure(ErrorKind::connection, settings->source,
                                    fmt::format("cannot connect to {}: no answer in time", settings->dsn.place));
    }
    if (!connected) {
        const Said said{mysql_errno(connection.get()), mysql_sqlstate(connection.get()), mysql_error(connection.get())};
        throw connect_error(said, settings->source, settings->dsn.place);
    }
    if (!settings->dsn.server.is_path()) set_keepalive(mysql_get_socket(connection.get()));
    auto link = std::make_unique<Link>(std::move(connection), std::move(settings), std::move(address));
    link->enter_shard();
    co_await link->greet(alarm, hearing);
    co_return link;
}

/// Learns what the server is and what it takes.
Task<void> Link::greet(Alarm& alarm, Hearing hearing) {
    const Alarm::Ends ends(alarm, [this] { give_up(); });
    const std::string_view sql = "SHOW VARIABLES WHERE Variable_name IN ('max_allowed_packet', 'wsrep_on')";
    int failed = 0;
    {
        const Call call(*this, mysql_real_query_start(&failed, handle(), sql.data(), sql.size()),
                        [&failed, this](int ready) { return mysql_real_query_cont(&failed, handle(), ready); });
        co_await finish(hearing);
    }
    MYSQL_RES* rows = nullptr;
    if (failed == 0 && !lost()) {
        const Call call(*this, mysql_store_result_start(&rows, handle()),
                        [&rows, this](int ready) { return mysql_store_result_cont(&rows, handle(), ready); });
        co_await finish(hearing);
    }
    const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> variables(rows, &mysql_free_result);
    if (!variables) throw connect_error(said(), source(), settings_->dsn.place);
    read_variables(variables.get());
}

void Link::read_variables(MYSQL_RES* variables) {
    ServerTraits server;
    server.is_mariadb = mariadb_connection(handle()) != 0;
    server.version = mysql_get_server_version(handle());
    server.version_text = mysql_get_server_info(handle());
    while (MYSQL_ROW row = mysql_fetch_row(variables)) {
        const std::string_view name = row[0];
        const std::string_view value = row[1];
        if (name == "max_allowed_packet") packet_limit_ = std::stoul(std::string(value));
        if (name == "wsrep_on") server.is_galera_node = value == "ON";
    }
    if (const auto refused = server_refusal(server)) {
        throw db::internal::failure(ErrorKind::config, source(), fmt::format("{} {}", settings_->dsn.place, *refused));
    }
}

}  // namespace sluice::db::mariadb
