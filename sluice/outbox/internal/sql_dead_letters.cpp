#include "sluice/outbox/internal/sql_dead_letters.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/letter_row.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr std::uint32_t kMostLetters = 1'000;  // a call is one unit, which may not keep the writer for long
constexpr std::string_view kFilter = "filter.";
constexpr const char* kNothingHeld = "the claim holds no such letter any more; claim again";

db::Timestamp time_of(std::int64_t micros) {
    return db::Timestamp(std::chrono::microseconds(micros));
}

}  // namespace

Error SqlDeadLetters::fault(ErrorKind kind, const std::string& text) const {
    return {kind, deps_.source->name(), text};
}

void SqlDeadLetters::check(const DeadLetterFilter& filter, const LetterOptions& options) const {
    if (options.limit < 1 || options.limit > kMostLetters) {
        throw fault(ErrorKind::config,
                    fmt::format("limit is {}, it must be from 1 to {}", options.limit, kMostLetters));
    }
    if (const auto text = fault_of(filter)) throw fault(ErrorKind::config, *text);
}

void SqlDeadLetters::check_change(const Change& change) const {
    check(change.filter, change.options);
    if (!change.filter.states.empty())
        throw fault(ErrorKind::config, "filter.states is for `list` and `count`; this call chooses the states itself");
}

db::Task<void> SqlDeadLetters::check_names(db::Session& session, std::optional<std::string> subscription,
                                           std::optional<std::string> queue, std::string_view what) const {
    const auto look = [&](std::string_view field, const std::string& name, const char* table) -> std::string {
        return fmt::format("{}{} '{}' is not in {}", what, field, name, table);
    };
    if (subscription && !subscription->empty()) {
        const auto known =
            co_await session.query_one("select 1 from sluice_subscription where name = $1", *subscription);
        if (!known) throw fault(ErrorKind::not_found, look("subscription", *subscription, "sluice_subscription"));
    }
    if (queue) {
        const auto known = co_await session.query_one("select 1 from sluice_queue where name = $1", *queue);
        if (!known) throw fault(ErrorKind::not_found, look("queue", *queue, "sluice_queue"));
    }
}

db::Task<std::vector<DeadLetter>> SqlDeadLetters::list(DeadLetterFilter filter, std::uint32_t limit,
                                                       std::int64_t after) {
    LetterOptions options;
    options.limit = limit;
    check(filter, options);
    SqlText sql(letter_columns());
    sql.add(" and id > ").bind(after);
    if (filter.states.empty()) filter.states.push_back(LetterState::pending);
    add_states(sql, filter.states);
    add_filter(sql, filter);
    sql.add(" order by id limit ").bind(limit);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    co_await check_names(*connection, filter.subscription, filter.queue, kFilter);
    const std::vector<db::Result> results = co_await connection->run(std::move(select));
    std::vector<DeadLetter> letters;
    for (const db::Row& row : results[0])
        letters.push_back(read_letter(deps_, row));
    co_return letters;
}

db::Task<std::uint64_t> SqlDeadLetters::count(DeadLetterFilter filter) {
    check(filter, {});
    SqlText sql("select count(*) from sluice_dead_letter where 1 = 1");
    if (filter.states.empty()) filter.states.push_back(LetterState::pending);
    add_states(sql, filter.states);
    add_filter(sql, filter);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    co_await check_names(*connection, filter.subscription, filter.queue, kFilter);
    const std::vector<db::Result> results = co_await connection->run(std::move(select));
    co_return static_cast<std::uint64_t>(results[0].rows[0].get<std::int64_t>(0));
}

db::Task<std::vector<std::int64_t>> SqlDeadLetters::choose(db::UnitOfWork& unit, const Change& change) {
    co_await check_names(unit, change.filter.subscription, change.filter.queue, kFilter);
    SqlText sql("select id from sluice_dead_letter where 1 = 1");
    change.which(sql);
    add_filter(sql, change.filter);
    sql.add(" order by failed_at, id limit ").bind(change.options.limit);
    // Of two who choose one letter the second waits, and then does not find it as it wants it.
    if (dialect() != db::Dialect::sqlite) sql.add(" for update");
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    const std::vector<db::Result> results = co_await unit.run(std::move(select));
    std::vector<std::int64_t> ids;
    for (const db::Row& row : results[0])
        ids.push_back(row.get<std::int64_t>(0));
    std::ranges::sort(ids);
    co_return ids;
}

db::Task<LetterReport> SqlDeadLetters::change(Change change) {
    check_change(change);
    const auto body = [this, &change](db::UnitOfWork& unit) { return change_in(unit, change); };
    db::TransactionOptions options;
    options.retry_serialization = 2;
    co_return co_await deps_.source->transaction(options, body);
}

db::Task<LetterReport> SqlDeadLetters::change_in(db::UnitOfWork& unit, const Change& change) {
    LetterReport report;
    report.ids = co_await choose(unit, change);
    const bool dry_run = change.options.dry_run && !core::mutant("outbox_dry_run_changes");
    if (dry_run || report.ids.empty()) co_return report;
    std::vector<db::Statement> statements;
    for (const std::int64_t id : report.ids)
        change.what(id, statements);
    co_await unit.run(std::move(statements));
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::claim(DeadLetterFilter filter, std::chrono::milliseconds lease,
                                             LetterOptions options) {
    if (lease.count() < 1)
        throw fault(ErrorKind::config, fmt::format("lease is {} ms, it must be at least 1 ms", lease.count()));
    const std::string token = core::unique_id();
    Change change;
    change.which = [this](SqlText& sql) { add_claimable(sql, dialect()); };
    change.what = [this, token, lease, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(db::statement(
            sql::expand("update sluice_dead_letter set state = 'reprocessing', claim = $1, claim_until = {now} + $2"
                        " where id = $3",
                        dialect()),
            token, std::chrono::microseconds(lease).count(), id));
        into.push_back(audit_letter(id, "claimed", actor, fmt::format("for {} ms", lease.count())));
    };
    change.filter = std::move(filter);
    const bool dry_run = options.dry_run;
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (!report.ids.empty() && !dry_run) report.claim = token;
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::resolve(std::string claim, DeadLetterFilter filter, LetterOptions options) {
    Change change;
    change.which = [this, &claim](SqlText& sql) { add_claimed(sql, claim, dialect()); };
    change.what = [this, &claim, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(resolve_letter({id, claim}, dialect()));
        into.push_back(audit_letter(id, "resolved", actor, "by hand"));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (report.ids.empty()) throw fault(ErrorKind::conflict, kNothingHeld);
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::reject(std::string claim, std::string reason, DeadLetterFilter filter,
                                              LetterOptions options) {
    Change change;
    change.which = [this, &claim](SqlText& sql) { add_claimed(sql, claim, dialect()); };
    change.what = [this, &claim, &reason, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(return_letter({id, claim}, 1, reason, dialect()));
        into.push_back(audit_letter(id, "rejected", actor, reason));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (report.ids.empty()) throw fault(ErrorKind::conflict, kNothingHeld);
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::discard(DeadLetterFilter filter, LetterOptions options) {
    Change change;
    change.which = [this](SqlText& sql) { add_claimable(sql, dialect()); };
    change.what = [this, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(db::statement(
            sql::expand("update sluice_dead_letter set state = 'discarded', completed_at = {now}, claim = null,"
                        " claim_until = null where id = $1",
                        dialect()),
            id));
        into.push_back(audit_letter(id, "discarded", actor, ""));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    co_return co_await this->change(std::move(change));
}

db::Task<LetterReport> SqlDeadLetters::cleanup(DeadLetterFilter filter, std::chrono::seconds older_than,
                                               LetterOptions options) {
    if (older_than.count() < 0)
        throw fault(ErrorKind::config, fmt::format("older_than is {} s, it must not be negative", older_than.count()));
    Change change;
    change.which = [this, older_than](SqlText& sql) {
        sql.add(sql::expand(" and state in ('resolved', 'discarded') and completed_at <= {now} - ", dialect()))
            .bind(std::chrono::microseconds(older_than).count());
    };
    change.what = [](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(db::statement("delete from sluice_dead_letter_audit where letter = $1", id));
        into.push_back(db::statement("delete from sluice_dead_letter where id = $1", id));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    co_return co_await this->change(std::move(change));
}

db::Task<std::vector<LetterAudit>> SqlDeadLetters::audit(std::int64_t letter) {
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
    const db::Result rows = co_await connection->query(
        "select at, action, actor, detail from sluice_dead_letter_audit where letter = $1 order by line", letter);
    std::vector<LetterAudit> lines;
    for (const db::Row& row : rows) {
        lines.push_back({letter, time_of(row.get<std::int64_t>(0)), row.get<std::string>(1), row.get<std::string>(2),
                         row.get<std::string>(3)});
    }
    co_return lines;
}

}  // namespace sluice::outbox
