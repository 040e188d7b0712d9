#include "sluice/db/mariadb/internal/bulk.hpp"

#include <algorithm>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "sluice/db/internal/value_rules.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr std::size_t kPacketBytes = 1 << 20;
constexpr std::size_t kPacketRows = 10'000;
constexpr std::size_t kBulkHead = 1'024;
constexpr std::size_t kValueHead = 16;  // length and indicator, at most

std::size_t bytes_of(const Parameters& row) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < row.count(); ++i)
        bytes += row.bytes(i) + kValueHead;
    return bytes;
}

/// One column's values side by side, as the library wants them: numbers in an array, all else as pointers.
class ColumnArray {
public:
    [[nodiscard]] bool takes(const MYSQL_BIND& value) const {
        return type_ == MYSQL_TYPE_NULL || value.buffer_type == MYSQL_TYPE_NULL || value.buffer_type == type_;
    }
    void add(const MYSQL_BIND& value) {
        const bool is_null = value.buffer_type == MYSQL_TYPE_NULL;
        if (!is_null && type_ == MYSQL_TYPE_NULL) set_type(value);
        indicators_.push_back(static_cast<char>(is_null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE));
        lengths_.push_back(value.buffer_length);
        pointers_.push_back(value.buffer);
        if (width_ == 0) return;
        numbers_.append(is_null ? std::string(width_, '\0') : std::string(static_cast<char*>(value.buffer), width_));
    }
    [[nodiscard]] MYSQL_BIND binding() {
        MYSQL_BIND bind{};
        bind.buffer_type = type_ == MYSQL_TYPE_NULL ? MYSQL_TYPE_STRING : type_;
        bind.buffer = width_ > 0 ? static_cast<void*>(numbers_.data()) : static_cast<void*>(pointers_.data());
        bind.length = lengths_.data();
        bind.u.indicator = indicators_.data();
        return bind;
    }

private:
    void set_type(const MYSQL_BIND& value) {
        type_ = value.buffer_type;
        const bool number = type_ == MYSQL_TYPE_TINY || type_ == MYSQL_TYPE_LONGLONG || type_ == MYSQL_TYPE_DOUBLE;
        if (number) width_ = value.buffer_length;
        numbers_.assign(width_ * indicators_.size(), '\0');
    }

    enum_field_types type_ = MYSQL_TYPE_NULL;
    std::size_t width_ = 0;  // of a number
    std::string numbers_;
    std::vector<void*> pointers_;
    std::vector<unsigned long> lengths_;
    std::vector<char> indicators_;
};

/// The rows of one packet: kinds do not change inside a column.
class Packet {
public:
    Packet(const BulkInsert& rows, std::size_t first, std::size_t limit) : columns_(rows.columns.size()) {
        std::size_t bytes = kBulkHead;
        while (first + rows_.size() < rows.rows.size() && rows_.size() < kPacketRows) {
            Parameters row(rows.rows[first + rows_.size()]);
            bytes += bytes_of(row);
            if (!rows_.empty() && (bytes > limit || !fits(row))) break;
            for (std::size_t i = 0; i < columns_.size(); ++i)
                columns_[i].add(row.binding(i));
            rows_.push_back(std::move(row));
        }
    }
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] std::vector<MYSQL_BIND> bindings() {
        std::vector<MYSQL_BIND> made;
        for (ColumnArray& column : columns_)
            made.push_back(column.binding());
        return made;
    }

private:
    [[nodiscard]] bool fits(const Parameters& row) const {
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!columns_[i].takes(row.binding(i))) return false;
        }
        return true;
    }
    std::vector<ColumnArray> columns_;
    std::deque<Parameters> rows_;
};

Said said_by_bulk(MYSQL_STMT* statement) {
    return {mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)};
}

Task<void> prepare_bulk(Exchange& exchange, Link& link, MYSQL_STMT* statement, const std::string& sql) {
    int failed = 0;
    {
        const Link::Call call(
            link, mysql_stmt_prepare_start(&failed, statement, sql.data(), sql.size()),
            [&failed, statement](int ready) { return mysql_stmt_prepare_cont(&failed, statement, ready); });
        if (link.calls()) co_await exchange.settle();
    }
    if (failed != 0 || link.lost()) exchange.take_error(said_by_bulk(statement), sql);
}

Task<void> send_packet(Exchange& exchange, Link& link, MYSQL_STMT* statement, Packet& packet, const std::string& sql) {
    const auto count = static_cast<unsigned>(packet.size());
    std::vector<MYSQL_BIND> bindings = packet.bindings();
    mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &count);
    int failed = mysql_stmt_bind_param(statement, bindings.data()) == 0 ? 0 : 1;
    if (failed == 0) {
        const Link::Call call(link, mysql_stmt_execute_start(&failed, statement), [&failed, statement](int ready) {
            return mysql_stmt_execute_cont(&failed, statement, ready);
        });
        if (link.calls()) co_await exchange.settle();
    }
    if (failed != 0 || link.lost()) exchange.take_error(said_by_bulk(statement), sql);
}

}  // namespace

std::string bulk_sql(const BulkInsert& rows) {
    std::string names;
    std::string places;
    for (const std::string& column : rows.columns) {
        names += (names.empty() ? "" : ", ") + db::internal::quoted(column);
        places += places.empty() ? "?" : ", ?";
    }
    return fmt::format("INSERT INTO {}({}) VALUES ({})", db::internal::quoted(rows.table), names, places);
}

void check_bulk(const Link& link, const BulkInsert& rows) {
    std::optional<std::string> refused = db::internal::refusal(rows);
    for (std::size_t i = 0; i < rows.rows.size() && !refused; ++i) {
        for (const Value& value : rows.rows[i]) {
            if (auto reason = value_refusal(value)) refused = fmt::format("row {}: {}", i, *reason);
        }
        const std::size_t bytes = refused ? 0 : bytes_of(Parameters(rows.rows[i])) + kBulkHead;
        if (bytes > link.packet_limit()) {
            refused = fmt::format("row {} takes {} bytes and the server at most {} at once (max_allowed_packet)", i,
                                  bytes, link.packet_limit());
        }
    }
    if (refused) throw refused_statement(std::move(*refused), link.source(), {});
}

Task<Reply> run_bulk(Link& link, const BulkInsert& rows) {
    Exchange exchange(link, Exchange::Within::unit);
    co_await exchange.begin(Hearing::normal);
    const std::string sql = bulk_sql(rows);
    std::uint64_t written = 0;
    {
        const StatementHandle statement(mysql_stmt_init(link.handle()));
        if (!statement) throw std::bad_alloc();
        if (!rows.rows.empty() && !exchange.stopped()) co_await prepare_bulk(exchange, link, statement.get(), sql);
        const std::size_t limit = std::min(kPacketBytes, link.packet_limit());
        for (std::size_t next = 0; next < rows.rows.size() && !exchange.stopped();) {
            Packet packet(rows, next, limit);
            co_await send_packet(exchange, link, statement.get(), packet, sql);
            if (!exchange.stopped()) written += mysql_stmt_affected_rows(statement.get());
            next += packet.size();
        }
    }
    Reply reply = co_await exchange.end();
    reply.results.emplace_back().affected = written;
    co_return reply;
}

}  // namespace sluice::db::mariadb
