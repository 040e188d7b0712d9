#include "sluice/db/postgres/internal/bulk.hpp"

#include <fmt/format.h>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/value_rules.hpp"
#include "sluice/db/postgres/internal/classify.hpp"
#include "sluice/db/postgres/internal/copy_encoder.hpp"
#include "sluice/db/postgres/internal/failure.hpp"
#include "sluice/db/postgres/internal/rows.hpp"

namespace sluice::db::postgres {
namespace {

constexpr std::size_t kChunk = 64 * 1024;

void check_rows(const Link& link, const BulkInsert& rows) {
    std::optional<std::string> refused = db::internal::refusal(rows);
    for (std::size_t i = 0; i < rows.rows.size() && !refused; ++i) {
        for (const Value& value : rows.rows[i]) {
            if (auto reason = db::internal::refusal(value)) refused = fmt::format("row {}: {}", i, *reason);
        }
    }
    if (refused) throw db::internal::failure(ErrorKind::query, link.source(), std::move(*refused));
}

/// The steps of one COPY; each may be continued after a cancellation.
class Copy {
public:
    Copy(Link& link, const BulkInsert& rows) : link_(link), rows_(rows), sql_(copy_sql(rows)) {}

    bool begin() { return PQsendQuery(link_.handle(), sql_.c_str()) != 0; }

    Task<void> transfer(Hearing hearing) {
        const bool began = co_await link_.flush(hearing);
        if (!began) co_return lose();
        while (!reply_.loss && !over_) {
            const bool ready = co_await link_.until_ready(hearing);
            if (!ready) co_return lose();
            const ResultHandle result(PQgetResult(link_.handle()));
            over_ = !result;
            if (!result) break;
            if (PQresultStatus(result.get()) == PGRES_COPY_IN) {
                co_await send_rows(hearing);
            } else {
                take(result.get());
            }
        }
    }
    /// After a cancellation: no more rows, then the server's answers.
    Task<void> end_deaf() {
        stopped_ = true;
        if (sending_) co_await send_rows(Hearing::deaf);
        co_await transfer(Hearing::deaf);
    }
    Reply take_reply() { return std::move(reply_); }
    void lose() {
        link_.give_up();
        if (!reply_.loss) reply_.loss = lost_error(link_.source(), PQerrorMessage(link_.handle()));
    }

private:
    Task<void> send_rows(Hearing hearing) {
        std::string chunk;
        sending_ = true;
        while (next_ < rows_.rows.size() && !stopped_) {
            chunk.clear();
            while (next_ < rows_.rows.size() && chunk.size() < kChunk)
                append_copy_row(chunk, rows_.rows[next_++]);
            // Non-blocking, libpq keeps what the kernel does not take; the flush below bounds that to one chunk.
            if (PQputCopyData(link_.handle(), chunk.data(), static_cast<int>(chunk.size())) < 0) co_return lose();
            const bool sent = co_await link_.flush(hearing);
            if (!sent) co_return lose();
        }
        sending_ = false;
        if (PQputCopyEnd(link_.handle(), stopped_ ? "cancelled" : nullptr) < 0) co_return lose();
        const bool ended = co_await link_.flush(hearing);
        if (!ended) lose();
    }
    void take(const PGresult* result) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            if (auto rows = read_rows(result)) reply_.results.push_back(std::move(*rows));
            reply_.last_tag = PQcmdStatus(const_cast<PGresult*>(result));
            return;
        }
        Error error = error_of(result, link_.source(), sql_);
        if (ends_connection(error.details().code) || error.details().code.empty()) {
            reply_.loss = std::move(error);
            link_.give_up();
        } else {
            reply_.error = std::move(error);
        }
    }

    Link& link_;
    const BulkInsert& rows_;
    std::string sql_;
    std::size_t next_ = 0;
    bool sending_ = false;  // COPY waits for rows
    bool stopped_ = false;
    bool over_ = false;
    Reply reply_;
};

}  // namespace

Task<Reply> run_copy(Link& link, const BulkInsert& rows) {
    check_rows(link, rows);
    Copy copy(link, rows);
    bool interrupted = false;
    if (link.lost() || !copy.begin()) {
        Reply lost;
        lost.loss = lost_error(link.source(), PQerrorMessage(link.handle()));
        link.give_up();
        co_return lost;
    }
    try {
        co_await copy.transfer(Hearing::normal);
    } catch (const boost::system::system_error& error) {
        interrupted = error.code() == boost::asio::error::operation_aborted;
        if (!interrupted) copy.lose();
    }
    if (interrupted) {
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        {
            const Link::Limit limit(link, link.settings().cleanup_limit);
            link.request_cancel();
            co_await copy.end_deaf();
        }
        co_await link.cancel_settled();
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
    }
    Reply reply = copy.take_reply();
    reply.interrupted = interrupted;
    co_return reply;
}

}  // namespace sluice::db::postgres
