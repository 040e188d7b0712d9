#include "sluice/outbox/internal/sql_dead_letters.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/unique_id.hpp"
#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/letter_row.hpp"
#include "sluice/outbox/internal/sql.hpp"

namespace sluice::outbox {
namespace {

constexpr std::uint32_t kMostLetters = 10'000;
constexpr std::size_t kMostIds = 1'000;

db::Timestamp time_of(std::int64_t micros) {
    return db::Timestamp(std::chrono::microseconds(micros));
}

}  // namespace

void SqlDeadLetters::check(const DeadLetterFilter& filter, const LetterOptions& options) const {
    if (options.limit < 1 || options.limit > kMostLetters) {
        throw Error(ErrorKind::config, deps_.source->name(),
                    fmt::format("limit is {}, it must be from 1 to {}", options.limit, kMostLetters));
    }
    if (filter.ids.size() > kMostIds) {
        throw Error(ErrorKind::config, deps_.source->name(),
                    fmt::format("the filter names {} ids, at most {} are possible", filter.ids.size(), kMostIds));
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
    sql.add(" order by failed_at, id limit ").bind(limit);
    std::vector<db::Statement> select;
    select.push_back(sql.take());
    std::unique_ptr<db::Connection> connection = co_await deps_.source->acquire(db::AccessIntent::read);
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
    const std::vector<db::Result> results = co_await connection->run(std::move(select));
    co_return static_cast<std::uint64_t>(results[0].rows[0].get<std::int64_t>(0));
}

db::Task<std::vector<std::int64_t>> SqlDeadLetters::choose(db::UnitOfWork& unit, const Change& change) {
    SqlText sql("select id from sluice_dead_letter where 1 = 1");
    change.which(sql);
    add_filter(sql, change.filter);
    sql.add(" order by failed_at, id limit ").bind(change.options.limit);
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
    check(change.filter, change.options);
    const auto body = [this, &change](db::UnitOfWork& unit) { return change_in(unit, change); };
    co_return co_await deps_.source->transaction({}, body);
}

db::Task<LetterReport> SqlDeadLetters::change_in(db::UnitOfWork& unit, const Change& change) {
    LetterReport report;
    report.ids = co_await choose(unit, change);
    if (change.options.dry_run || report.ids.empty()) co_return report;
    std::vector<db::Statement> statements;
    for (const std::int64_t id : report.ids)
        change.what(id, statements);
    co_await unit.run(std::move(statements));
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::claim(DeadLetterFilter filter, std::chrono::milliseconds lease,
                                             LetterOptions options) {
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
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (!report.ids.empty()) report.claim = token;
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::resolve(std::string claim, DeadLetterFilter filter, LetterOptions options) {
    Change change;
    change.which = [this, &claim](SqlText& sql) { add_claimed(sql, claim, dialect()); };
    change.what = [this, &claim, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(resolve_letter(id, claim, dialect()));
        into.push_back(audit_letter(id, "resolved", actor, "by hand"));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (report.ids.empty())
        throw Error(ErrorKind::conflict, deps_.source->name(), "the claim holds no such letter any more; claim again");
    co_return report;
}

db::Task<LetterReport> SqlDeadLetters::reject(std::string claim, std::string reason, DeadLetterFilter filter,
                                              LetterOptions options) {
    Change change;
    change.which = [this, &claim](SqlText& sql) { add_claimed(sql, claim, dialect()); };
    change.what = [this, &claim, &reason, actor = options.actor](std::int64_t id, std::vector<db::Statement>& into) {
        into.push_back(return_letter(id, claim, 1, reason, dialect()));
        into.push_back(audit_letter(id, "rejected", actor, reason));
    };
    change.filter = std::move(filter);
    change.options = std::move(options);
    LetterReport report = co_await this->change(std::move(change));
    if (report.ids.empty())
        throw Error(ErrorKind::conflict, deps_.source->name(), "the claim holds no such letter any more; claim again");
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
