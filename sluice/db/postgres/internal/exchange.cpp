#include "sluice/db/postgres/internal/exchange.hpp"

#include <utility>

#include <fmt/format.h>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/core/mutant.hpp"
#include "sluice/db/internal/failures.hpp"
#include "sluice/db/internal/fingerprint.hpp"
#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/internal/value_rules.hpp"
#include "sluice/db/postgres/internal/classify.hpp"
#include "sluice/db/postgres/internal/decode.hpp"
#include "sluice/db/postgres/internal/failure.hpp"
#include "sluice/db/postgres/internal/rows.hpp"

namespace sluice::db::postgres {
namespace {

constexpr std::size_t kMostValues = 65'535;  // the protocol counts them in two bytes
constexpr int kAsText = 0;
constexpr int kAsBinary = 1;

[[noreturn]] void refuse_statement(const Link& link, std::string message, std::string_view sql) {
    ErrorDetails details;
    details.source = link.source();
    details.message = std::move(message);
    details.fingerprint = db::internal::fingerprint(sql);
    throw Error(ErrorKind::query, std::move(details));
}

bool all_binary(const PGresult* description) {
    for (int column = 0; column < PQnfields(description); ++column) {
        if (!has_binary_codec(PQftype(description, column))) return false;
    }
    return true;
}

}  // namespace

void Exchange::add_control(std::string sql) {
    texts_.push_back(std::make_unique<std::string>(std::move(sql)));
    items_.push_back({*texts_.back(), Parameters({}), true, {}});
}

void Exchange::add(const Statement& statement) {
    if (statement.values.size() > kMostValues) {
        refuse_statement(link_, fmt::format("{} values; a statement takes {}", statement.values.size(), kMostValues),
                         statement.sql);
    }
    if (!db::internal::is_storable_text(statement.sql)) {
        refuse_statement(link_, "the statement must be UTF-8 without NUL", statement.sql);
    }
    for (const Value& value : statement.values) {
        if (auto refused = db::internal::refusal(value)) refuse_statement(link_, std::move(*refused), statement.sql);
    }
    items_.push_back({statement.sql, Parameters(statement.values), false, {}});
}

Task<Reply> Exchange::run(Hearing hearing) {
    if (link_.lost() || !send()) {
        lose();
        co_return std::move(reply_);
    }
    try {
        co_await transfer(hearing);
    } catch (const boost::system::system_error& error) {
        reply_.interrupted = error.code() == boost::asio::error::operation_aborted;
        if (!reply_.interrupted) lose();
    }
    if (reply_.interrupted) {
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        {
            const Link::Limit limit(link_, link_.settings().cleanup_limit);
            link_.request_cancel();
            co_await transfer(Hearing::deaf);
        }
        co_await link_.cancel_settled();
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
    }
    finish();
    co_return std::move(reply_);
}

bool Exchange::send() {
    if (PQenterPipelineMode(link_.handle()) == 0) return false;
    if (!send_garbage()) return false;
    for (std::size_t i = 0; i < items_.size(); ++i) {
        if (!send_item(i)) return false;
    }
    return PQpipelineSync(link_.handle()) != 0;
}

/// What left the cache, outside of a transaction: in one that failed the statement would be refused. With a
/// synchronisation point of its own: what stands before BEGIN without one is in the same implicit transaction, whose
/// isolation level could not be set any more.
bool Exchange::send_garbage() {
    PreparedStatements* const statements = link_.statements();
    if (statements == nullptr || PQtransactionStatus(link_.handle()) != PQTRANS_IDLE) return true;
    for (const std::string& name : statements->take_garbage()) {
        const std::string sql = "DEALLOCATE " + name;
        if (PQsendQueryParams(link_.handle(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, kAsText) == 0)
            return false;
        commands_.push_back({Step::deallocate, 0});
    }
    if (commands_.empty() || core::mutant("postgres_garbage_before_begin")) return true;
    ++synchronisations_left_;
    return PQpipelineSync(link_.handle()) != 0;
}

bool Exchange::send_item(std::size_t index) {
    Item& item = items_[index];
    PGconn* const connection = link_.handle();
    const Parameters& values = item.parameters;
    PreparedStatements* const statements = item.control ? nullptr : link_.statements();
    const Prepared* found = statements == nullptr ? nullptr : statements->find(item.sql, values.types());
    // A statement that is new here must not push out another that is: both would be half-made.
    const bool prepares =
        statements != nullptr && found == nullptr && prepared_now_ < link_.settings().statement_limit / 2;
    if (prepares) {
        ++prepared_now_;
        found = &statements->add(item.sql, values.types());
        item.prepared = found->name;
        const bool sent = PQsendPrepare(connection, found->name.c_str(), found->sql.c_str(), values.count(),
                                        values.types().data()) != 0 &&
                          PQsendDescribePrepared(connection, found->name.c_str()) != 0;
        if (!sent) return false;
        commands_.push_back({Step::prepare, index});
        commands_.push_back({Step::describe, index});
    }
    commands_.push_back({Step::run, index});
    if (found == nullptr) {
        return PQsendQueryParams(connection, item.sql.data(), values.count(), values.types().data(), values.values(),
                                 values.lengths(), values.formats(), kAsText) != 0;
    }
    item.prepared = found->name;
    return PQsendQueryPrepared(connection, found->name.c_str(), values.count(), values.values(), values.lengths(),
                               values.formats(), found->binary ? kAsBinary : kAsText) != 0;
}

Task<void> Exchange::transfer(Hearing hearing) {
    if (!flushed_) {
        const bool sent = co_await link_.flush(hearing);
        if (!sent) co_return lose();
        flushed_ = true;
    }
    while (!synchronised_ && !reply_.loss) {
        if (PQisBusy(link_.handle()) != 0) {
            const bool ready = co_await link_.until_ready(hearing);
            if (!ready) co_return lose();
        }
        take_result();
    }
}

void Exchange::take_result() {
    const ResultHandle result(PQgetResult(link_.handle()));
    if (!result) {
        ++command_;
        return;
    }
    switch (PQresultStatus(result.get())) {
        case PGRES_PIPELINE_SYNC:
            synchronised_ = --synchronisations_left_ == 0;
            return;
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_EMPTY_QUERY:
            return take_success(result.get());
        case PGRES_PIPELINE_ABORTED:
            return;
        default:
            return take_error(result.get());
    }
}

void Exchange::take_success(const PGresult* result) {
    if (command_ >= commands_.size()) return;
    const Command command = commands_[command_];
    if (command.step == Step::describe) link_.statements()->confirm(items_[command.item].prepared, all_binary(result));
    if (command.step != Step::run) return;
    reply_.last_tag = PQcmdStatus(const_cast<PGresult*>(result));
    const Item& item = items_[command.item];
    if (item.control || reply_.error) return;
    auto rows = read_rows(result);
    if (rows) {
        reply_.results.push_back(std::move(*rows));
        return;
    }
    ErrorDetails details;
    details.source = link_.source();
    details.message = std::move(rows.error());
    details.fingerprint = db::internal::fingerprint(item.sql);
    reply_.error.emplace(ErrorKind::query, std::move(details));
}

void Exchange::take_error(const PGresult* result) {
    const std::string_view sql =
        command_ < commands_.size() ? items_[commands_[command_].item].sql : std::string_view();
    Error error = error_of(result, link_.source(), sql);
    const std::string& code = error.details().code;
    if (code.empty() || ends_connection(code)) {
        if (!reply_.loss) reply_.loss = std::move(error);
        if (code.empty() && PQstatus(link_.handle()) != CONNECTION_BAD) link_.give_up();
        return lose();
    }
    const bool prepared = command_ < commands_.size() && !items_[commands_[command_].item].prepared.empty();
    // The table changed under the plan, or somebody took the statement away.
    if (prepared && (code == "0A000" || code == "26000")) {
        link_.statements()->drop(items_[commands_[command_].item].prepared, code == "0A000");
    }
    if (!reply_.error) reply_.error = std::move(error);
}

/// Keeps what the server said last, if it said anything.
void Exchange::lose() {
    link_.give_up();
    constexpr int kMostResults = 1'000;
    for (int i = 0; i < kMostResults && !reply_.loss && PQisBusy(link_.handle()) == 0; ++i) {
        const ResultHandle result(PQgetResult(link_.handle()));
        if (!result || PQresultStatus(result.get()) != PGRES_FATAL_ERROR) continue;
        Error said = error_of(result.get(), link_.source(), {});
        if (ends_connection(said.details().code)) reply_.loss = std::move(said);
    }
    if (!reply_.loss) {
        const std::string_view why = PQerrorMessage(link_.handle());
        reply_.loss = lost_error(link_.source(), why.empty() ? std::string_view("no answer in time") : why);
    }
}

void Exchange::finish() {
    if (PreparedStatements* const statements = link_.statements()) statements->drop_unconfirmed();
    if (!reply_.loss && PQexitPipelineMode(link_.handle()) == 0) link_.give_up();
}

}  // namespace sluice::db::postgres
