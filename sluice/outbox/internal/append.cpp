#include "sluice/outbox/internal/append.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "sluice/core/json.hpp"
#include "sluice/core/utf8.hpp"
#include "sluice/outbox/internal/limits.hpp"

namespace sluice::outbox {
namespace {

/// Of one statement of arrays.
constexpr std::size_t kRowsAtMost = 5'000;
constexpr std::size_t kBytesAtMost = std::size_t{16} << 20;

db::Value text_or_null(std::string text) {
    return text.empty() ? db::Value(db::null) : db::Value(std::move(text));
}

/// As text where it can be, so that people and SQL read it; a server's column takes bytes.
db::Value payload_value(std::string payload, db::Dialect dialect) {
    const bool text = payload.find('\0') == std::string::npos && core::is_utf8(payload);
    if (text && dialect == db::Dialect::sqlite) return {std::move(payload)};
    return {db::to_bytes(payload)};
}

db::Value trace_value(const std::string& traceparent) {
    const std::optional<std::string> packed = pack_trace(traceparent);
    return packed ? db::Value(db::to_bytes(*packed)) : db::Value(db::null);
}

std::string headers_text(const Headers& headers) {
    return headers.empty() ? std::string() : core::json::encode(headers);
}

/// The columns of many messages; empty stands for none, which it means in every one of them but `payload`.
class Columns {
public:
    void add(Outgoing message) {
        bytes_ += message.payload.size();
        queues_.push_back(std::move(message.queue));
        keys_.push_back(std::move(message.key));
        types_.push_back(std::move(message.type));
        tenants_.push_back(std::move(message.tenant));
        traces_.push_back(db::to_bytes(pack_trace(message.trace).value_or("")));
        headers_.push_back(headers_text(message.headers));
        payloads_.push_back(db::to_bytes(message.payload));
    }
    [[nodiscard]] bool full() const noexcept { return queues_.size() >= kRowsAtMost || bytes_ >= kBytesAtMost; }
    [[nodiscard]] bool empty() const noexcept { return queues_.empty(); }

    /// Ids follow the caller's order: the rows are inserted in the order of the arrays.
    db::Statement take() {
        db::Statement insert = db::statement(
            "insert into sluice_message(queue, \"key\", type, tenant, trace, headers, payload)"
            " select q.number, nullif(m.key, ''), m.type, nullif(m.tenant, ''), nullif(m.trace, ''::bytea),"
            " nullif(m.headers, ''), m.payload"
            " from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bytea[])"
            " with ordinality as m(queue, key, type, tenant, trace, headers, payload, place)"
            " left join sluice_queue q on q.name = m.queue order by m.place returning id",
            std::exchange(queues_, {}), std::exchange(keys_, {}), std::exchange(types_, {}),
            std::exchange(tenants_, {}), std::exchange(traces_, {}), std::exchange(headers_, {}),
            std::exchange(payloads_, {}));
        bytes_ = 0;
        return insert;
    }

private:
    std::vector<std::string> queues_;
    std::vector<std::string> keys_;
    std::vector<std::string> types_;
    std::vector<std::string> tenants_;
    std::vector<db::Bytes> traces_;
    std::vector<std::string> headers_;
    std::vector<db::Bytes> payloads_;
    std::size_t bytes_ = 0;
};

std::vector<db::Statement> append_arrays(std::vector<Outgoing> messages) {
    std::vector<db::Statement> statements;
    Columns columns;
    for (Outgoing& message : messages) {
        columns.add(std::move(message));
        if (columns.full()) statements.push_back(columns.take());
    }
    if (!columns.empty()) statements.push_back(columns.take());
    return statements;
}

/// Rows of one statement where there are no arrays: a few texts, each of which a connection prepares once.
constexpr std::array<std::size_t, 4> kRowsTogether = {256, 32, 4, 1};
constexpr std::size_t kBytesTogether = std::size_t{1} << 20;

/// How many of the first of `messages` go into one statement.
std::size_t rows_together(std::span<const Outgoing> messages) {
    std::size_t bytes = 0;
    std::size_t small = 0;
    while (small < std::min(messages.size(), kRowsTogether.front()) && bytes <= kBytesTogether)
        bytes += messages[small++].payload.size();
    for (const std::size_t rows : kRowsTogether) {
        if (rows <= small) return rows;
    }
    return 1;
}

/// One shape of text for each number of rows: the numbers are in it if all of them are known.
db::Statement append_rows(std::span<Outgoing> messages, const QueueNumbers& known) {
    constexpr std::size_t kColumns = 7;
    std::vector<std::optional<std::int64_t>> numbers;
    for (const Outgoing& message : messages)
        numbers.push_back(known.find(message.queue));
    const bool all_known = std::ranges::all_of(numbers, [](const auto& number) { return number.has_value(); });
    db::Statement insert =
        db::statement("insert into sluice_message(queue, \"key\", type, tenant, trace, headers, payload) values");
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const std::optional<std::int64_t> number = all_known ? numbers[i] : std::nullopt;
        db::Statement one = append_one(std::move(messages[i]), db::Dialect::mariadb, number);
        insert.sql += i == 0 ? " (" : ", (";
        const std::size_t first = i * kColumns + 1;
        insert.sql +=
            fmt::format(fmt::runtime(all_known ? "${}" : "(select number from sluice_queue where name = ${})"), first);
        for (std::size_t column = 1; column < kColumns; ++column)
            insert.sql += fmt::format(", ${}", first + column);
        insert.sql += ")";
        std::ranges::move(one.values, std::back_inserter(insert.values));
    }
    insert.sql += all_known ? " returning id" : " returning id, queue";
    return insert;
}

std::vector<db::Statement> append_in_rows(std::vector<Outgoing> messages, const QueueNumbers& known) {
    std::vector<db::Statement> statements;
    std::span<Outgoing> rest(messages);
    while (!rest.empty()) {
        const std::size_t rows = rows_together(rest);
        statements.push_back(append_rows(rest.first(rows), known));
        rest = rest.subspan(rows);
    }
    return statements;
}

}  // namespace

db::Statement append_one(Outgoing message, db::Dialect dialect, std::optional<std::int64_t> queue_number) {
    db::Value queue = queue_number ? db::Value(*queue_number) : db::Value(std::move(message.queue));
    db::Statement insert = db::statement(
        queue_number ? "insert into sluice_message(queue, \"key\", type, tenant, trace, headers, payload)"
                       " values ($1, $2, $3, $4, $5, $6, $7)"
                     : "insert into sluice_message(queue, \"key\", type, tenant, trace, headers, payload)"
                       " values ((select number from sluice_queue where name = $1), $2, $3, $4, $5, $6, $7)"
                       " returning id, queue",
        std::move(queue), text_or_null(std::move(message.key)), std::move(message.type),
        text_or_null(std::move(message.tenant)), trace_value(message.trace),
        text_or_null(headers_text(message.headers)), payload_value(std::move(message.payload), dialect));
    if (queue_number && dialect == db::Dialect::postgres) insert.sql += " returning id";
    return insert;
}

std::vector<db::Statement> append_all(std::vector<Outgoing> messages, db::Dialect dialect, const QueueNumbers& known) {
    if (dialect == db::Dialect::postgres && messages.size() > 1) return append_arrays(std::move(messages));
    if (dialect == db::Dialect::mariadb && messages.size() > 1) return append_in_rows(std::move(messages), known);
    std::vector<db::Statement> statements;
    statements.reserve(messages.size());
    for (Outgoing& message : messages) {
        const std::optional<std::int64_t> number = known.find(message.queue);
        statements.push_back(append_one(std::move(message), dialect, number));
    }
    return statements;
}

std::vector<Appended> appended(std::span<const db::Result> results) {
    std::vector<Appended> all;
    for (const db::Result& result : results) {
        if (result.empty()) all.push_back({result.last_insert_id, {}});
        for (const db::Row& row : result) {
            Appended one;
            one.id = row.get<std::int64_t>(0);
            if (row.size() > 1) one.queue_number = row.get<std::int64_t>(1);
            all.push_back(one);
        }
    }
    return all;
}

}  // namespace sluice::outbox
