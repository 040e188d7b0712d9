// The same read by Connector/C alone: its calls wait for the socket.
#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <mysql.h>

#include "bench/facade_work.hpp"

namespace sluice::bench {
namespace {

constexpr const char* kSelectMarked = "select id, name from article where id = ?";
constexpr std::size_t kLongestName = 64;

struct Close {
    void operator()(MYSQL* connection) const noexcept { mysql_close(connection); }
    void operator()(MYSQL_STMT* statement) const noexcept { mysql_stmt_close(statement); }
};
using Connection = std::shared_ptr<MYSQL>;  // shared by the copies of a reader
using Prepared = std::shared_ptr<MYSQL_STMT>;

/// `address` as tools/servers writes it.
Connection connect_to(const std::string& address) {
    const std::size_t user = address.find("//") + 2;
    const std::size_t password = address.find(':', user) + 1;
    const std::size_t host = address.find('@', password) + 1;
    const std::size_t port = address.find(':', host) + 1;
    const std::size_t database = address.find('/', port) + 1;
    const auto part = [&address](std::size_t from, std::size_t next) { return address.substr(from, next - from - 1); };
    Connection connection(mysql_init(nullptr), Close());
    if (mysql_real_connect(connection.get(), part(host, port).c_str(), part(user, password).c_str(),
                           part(password, host).c_str(), address.substr(database).c_str(),
                           static_cast<unsigned>(std::stoul(part(port, database))), nullptr, 0) == nullptr)
        throw std::runtime_error(fmt::format("Connector/C: {}", mysql_error(connection.get())));
    return connection;
}

void expect_done(int failed, MYSQL_STMT* statement) {
    if (failed != 0) throw std::runtime_error(fmt::format("Connector/C: {}", mysql_stmt_error(statement)));
}

MYSQL_BIND number_binding(std::int64_t& number) {
    MYSQL_BIND binding;
    std::memset(&binding, 0, sizeof binding);
    binding.buffer_type = MYSQL_TYPE_LONGLONG;
    binding.buffer = &number;
    return binding;
}

}  // namespace

Read read_by_mariadb(const std::string& address) {
    Connection connection = connect_to(address);
    Prepared statement(mysql_stmt_init(connection.get()), Close());
    MYSQL_STMT* const prepared = statement.get();
    expect_done(mysql_stmt_prepare(prepared, kSelectMarked, std::strlen(kSelectMarked)), prepared);
    return [connection = std::move(connection), statement = std::move(statement)](int count) {
        MYSQL_STMT* const made = statement.get();
        std::int64_t key = 0;
        std::int64_t id = 0;
        std::array<char, kLongestName> text{};
        unsigned long length = 0;
        MYSQL_BIND parameter = number_binding(key);
        std::array<MYSQL_BIND, 2> columns{number_binding(id), MYSQL_BIND{}};
        columns[1].buffer_type = MYSQL_TYPE_STRING;
        columns[1].buffer = text.data();
        columns[1].buffer_length = text.size();
        columns[1].length = &length;
        expect_done(mysql_stmt_bind_param(made, &parameter), made);
        expect_done(mysql_stmt_bind_result(made, columns.data()), made);
        std::int64_t sum = 0;
        for (int i = 0; i < count; ++i) {
            key = key_of(i);
            expect_done(mysql_stmt_execute(made), made);
            expect_done(mysql_stmt_store_result(made), made);
            expect_done(mysql_stmt_fetch(made), made);
            sum += id + static_cast<std::int64_t>(std::string(text.data(), length).size());
            mysql_stmt_free_result(made);
        }
        return sum;
    };
}

}  // namespace sluice::bench
