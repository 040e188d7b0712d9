#include "sluice/db/mariadb/internal/exchange.hpp"

#include <utility>

#include <fmt/format.h>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "sluice/db/internal/first_words.hpp"
#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/mariadb/internal/guard.hpp"
#include "sluice/db/mariadb/internal/rows.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr std::size_t kMostValues = 65'535;  // the protocol counts them in two bytes
constexpr std::size_t kPacketHead = 1'024;   // what a packet holds beside the values, at most
constexpr unsigned kInterrupted = 1'317;
constexpr unsigned kUnknownStatement = 1'243;
constexpr unsigned kOtherColumns = 2'057;

Said said_by(MYSQL_STMT* statement) {
    return {mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)};
}

/// What a statement with a result changed: RETURNING answers a row for each.
bool returns_what_it_changed(std::string_view sql) {
    const std::string first = db::internal::FirstWords(sql).next();
    return first == "INSERT" || first == "DELETE" || first == "REPLACE" || first == "UPDATE";
}

}  // namespace

void Exchange::add_control(std::string_view sql) {
    items_.push_back({sql, Parameters({}), true, true, {}});
}

void Exchange::add(const Statement& statement) {
    const std::string& sql = statement.sql;
    const auto refuse = [&](std::string message) { throw refused_statement(std::move(message), link_.source(), sql); };
    if (statement.values.size() > kMostValues)
        refuse(fmt::format("{} values; a statement takes {}", statement.values.size(), kMostValues));
    // What was prepared once has passed what its text alone can fail.
    const Prepared* const known = link_.statements().find(sql);
    if (known == nullptr && !db::internal::is_storable_text(sql)) refuse("the statement must be UTF-8 without NUL");
    std::size_t bytes = sql.size();
    for (std::size_t i = 0; i < statement.values.size(); ++i) {
        if (auto reason = value_refusal(statement.values[i])) refuse(fmt::format("${}: {}", i + 1, *reason));
    }
    Item item{sql, Parameters(statement.values), false, known == nullptr && is_own_savepoint(statement), {}};
    for (std::size_t i = 0; i < item.parameters.count(); ++i)
        bytes += item.parameters.bytes(i);
    if (bytes + kPacketHead > link_.packet_limit()) {
        refuse(
            fmt::format("the statement takes {} bytes with its values and the server at most {} at once "
                        "(max_allowed_packet); send less or raise that",
                        bytes, link_.packet_limit()));
    }
    std::size_t wanted = 0;
    if (known != nullptr) {
        wanted = known->placeholders;
    } else if (!item.text) {
        auto translated = translate_placeholders(sql);
        if (!translated) refuse(std::move(translated.error()));
        wanted = translated->placeholders;
        item.translated = std::move(*translated);
    }
    if (wanted != statement.values.size())
        refuse(fmt::format("the statement has {} placeholders and {} values", wanted, statement.values.size()));
    items_.push_back(std::move(item));
}

Task<Reply> Exchange::run(Hearing hearing) {
    co_await begin(hearing);
    while (next_ < items_.size() && !stopped()) {
        if (items_[next_].text) {
            co_await run_texts();
        } else {
            co_await run_statement(items_[next_++]);
        }
    }
    Reply reply = co_await end();
    co_return reply;
}

/// From here on a cancellation is heard only by `settle`: nothing else may leave a call under way.
Task<void> Exchange::begin(Hearing hearing) {
    hearing_ = hearing;
    throws_ = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const boost::asio::cancellation_state state = co_await boost::asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != boost::asio::cancellation_type::none;
    if (cancelled && hearing_ == Hearing::normal) reply_.interrupted = true;
    if (link_.lost()) lose({});
}

Task<Reply> Exchange::end() {
    // The server may have heard of a KILL QUERY after its statement had ended: then the next one would be stopped.
    constexpr int kMostTries = 3;
    for (int tries = 0; killed_ && tries < kMostTries && !link_.lost(); ++tries) {
        const bool absorbed = co_await link_.run_text("DO 0");
        if (absorbed) killed_ = false;
        if (!absorbed && link_.said().code != kInterrupted) link_.give_up();
    }
    if (killed_) link_.give_up();
    limit_.reset();
    co_await boost::asio::this_coro::throw_if_cancelled(throws_);
    co_return std::move(reply_);
}

Task<void> Exchange::settle() {
    bool cancelled = false;
    try {
        co_await link_.finish(hearing_);
    } catch (const boost::system::system_error&) {
        cancelled = true;
    }
    if (!cancelled) co_return;
    reply_.interrupted = true;
    hearing_ = Hearing::deaf;
    limit_.emplace(link_, link_.settings().cleanup_limit);
    if (stops_) {
        killed_ = true;
        co_await link_.kill_statement();
    }
    co_await link_.finish(Hearing::deaf);
}

/// The next item and its neighbours that are text, in one round trip.
Task<void> Exchange::run_texts() {
    const std::size_t first = next_;
    std::string sql;
    for (; next_ < items_.size() && items_[next_].text; ++next_)
        sql += (sql.empty() ? "" : "; ") + std::string(items_[next_].sql);
    int failed = 0;
    {
        const Link::Call call(
            link_, mysql_real_query_start(&failed, link_.handle(), sql.data(), sql.size()),
            [&failed, this](int ready) { return mysql_real_query_cont(&failed, link_.handle(), ready); });
        if (link_.calls()) co_await settle();
    }
    for (std::size_t i = first; i < next_; ++i) {
        if (failed > 0) co_return take_error(link_.said(), items_[i].sql);
        if (!items_[i].control) reply_.results.emplace_back();
        if (i + 1 == next_) break;
        const Link::Call call(link_, mysql_next_result_start(&failed, link_.handle()), [&failed, this](int ready) {
            return mysql_next_result_cont(&failed, link_.handle(), ready);
        });
        if (link_.calls()) co_await settle();
    }
}

Task<void> Exchange::run_statement(Item& item) {
    Prepared* prepared = link_.statements().find(item.sql);
    if (prepared == nullptr) prepared = co_await prepare(item);
    if (prepared == nullptr || stopped()) co_return;
    co_await execute(item, *prepared);
}

Task<Prepared*> Exchange::prepare(Item& item) {
    // It may have been known when it was added, and gone since.
    if (!item.translated) item.translated = translate_placeholders(item.sql).value();
    Prepared made;
    made.handle.reset(mysql_stmt_init(link_.handle()));
    if (!made.handle) throw std::bad_alloc();
    MYSQL_STMT* const statement = made.handle.get();
    const std::string& text = item.translated->text;
    int failed = 0;
    {
        const Link::Call call(
            link_, mysql_stmt_prepare_start(&failed, statement, text.data(), text.size()),
            [&failed, statement](int ready) { return mysql_stmt_prepare_cont(&failed, statement, ready); });
        if (link_.calls()) co_await settle();
    }
    if (failed != 0 || link_.lost()) {
        take_error(said_by(statement), item.sql);
        co_return nullptr;
    }
    made.order = std::move(item.translated->order);
    made.placeholders = item.translated->placeholders;
    made.returns_what_it_changed = returns_what_it_changed(item.sql);
    if (mysql_stmt_param_count(statement) != made.order.size()) {
        reply_.error = refused_statement(
            fmt::format("the server sees {} placeholders where there are {}: is one in a comment of its own kind?",
                        mysql_stmt_param_count(statement), made.order.size()),
            link_.source(), item.sql);
        co_return nullptr;
    }
    co_return &link_.statements().insert(std::string(item.sql), std::move(made));
}

Task<void> Exchange::execute(Item& item, Prepared& prepared) {
    MYSQL_STMT* const statement = prepared.handle.get();
    std::vector<MYSQL_BIND> bindings = item.parameters.bindings(prepared.order);
    if (!bindings.empty() && mysql_stmt_bind_param(statement, bindings.data()) != 0)
        co_return take_statement_error(item, statement);
    int failed = 0;
    {
        const Link::Call call(link_, mysql_stmt_execute_start(&failed, statement), [&failed, statement](int ready) {
            return mysql_stmt_execute_cont(&failed, statement, ready);
        });
        if (link_.calls()) co_await settle();
    }
    if (failed != 0 || link_.lost()) co_return take_statement_error(item, statement);
    co_await read_results(item, prepared);
}

/// The first result is the answer; a procedure's further ones are read and dropped.
Task<void> Exchange::read_results(Item& item, Prepared& prepared) {
    MYSQL_STMT* const statement = prepared.handle.get();
    for (bool wanted = true;; wanted = false) {
        if (mysql_stmt_field_count(statement) > 0) {
            co_await read_rows(item, prepared, wanted);
        } else if (wanted) {
            Result& result = reply_.results.emplace_back();
            result.affected = mysql_stmt_affected_rows(statement);
            result.last_insert_id = static_cast<std::int64_t>(mysql_stmt_insert_id(statement));
        }
        if (reply_.failed()) co_return;
        if (mysql_stmt_more_results(statement) == 0) break;
        int failed = 0;
        const Link::Call call(link_, mysql_stmt_next_result_start(&failed, statement), [&failed, statement](int ready) {
            return mysql_stmt_next_result_cont(&failed, statement, ready);
        });
        if (link_.calls()) co_await settle();
        if (failed > 0 || link_.lost()) co_return take_statement_error(item, statement);
    }
    check_still_open(item);
}

Task<void> Exchange::read_rows(Item& item, Prepared& prepared, bool wanted) {
    MYSQL_STMT* const statement = prepared.handle.get();
    RowReader reader(statement, prepared.columns);
    int failed = 0;
    {
        const Link::Call call(
            link_, mysql_stmt_store_result_start(&failed, statement),
            [&failed, statement](int ready) { return mysql_stmt_store_result_cont(&failed, statement, ready); });
        if (link_.calls()) co_await settle();
    }
    if (failed != 0 || link_.lost()) co_return take_statement_error(item, statement);
    if (wanted) {
        auto rows = reader.read_all();
        if (rows) {
            if (prepared.returns_what_it_changed) rows->affected = rows->rows.size();
            reply_.results.push_back(std::move(*rows));
        } else {
            reply_.error = refused_statement(std::move(rows.error()), link_.source(), item.sql);
        }
    }
    mysql_stmt_free_result(statement);  // stored whole: nothing is waited for
}

/// A statement that the guard does not know may have committed what came before it.
void Exchange::check_still_open(const Item& item) {
    if (within_ != Within::unit || link_.in_transaction()) return;
    reply_.error = refused_statement(
        "the statement ended the unit's transaction: what came before it is committed; run it outside of a unit",
        link_.source(), item.sql);
}

void Exchange::take_statement_error(const Item& item, MYSQL_STMT* statement) {
    const Said said = said_by(statement);
    take_error(said, item.sql);
    if (said.code == kUnknownStatement || said.code == kOtherColumns) link_.statements().erase(item.sql);
}

void Exchange::take_error(const Said& said, std::string_view sql) {
    if (link_.lost() || ends_connection(said.code)) return lose(said);
    reply_.error = error_of(said, link_.source(), sql);
}

void Exchange::lose(const Said& said) {
    if (!reply_.loss) reply_.loss = lost_error(said, link_.source());
    link_.give_up();
}

}  // namespace sluice::db::mariadb
