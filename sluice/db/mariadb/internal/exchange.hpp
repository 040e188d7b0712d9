// Statements in order on one connection, and their results. Each is a round trip, two the first time.
//
//     Exchange exchange(link, Exchange::Within::unit);
//     exchange.add_control("START TRANSACTION");
//     exchange.add(statement);
//     const Reply reply = co_await exchange.run(Hearing::normal);
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/internal/reply.hpp"
#include "sluice/db/mariadb/internal/link.hpp"
#include "sluice/db/mariadb/internal/parameters.hpp"
#include "sluice/db/mariadb/internal/placeholders.hpp"
#include "sluice/db/statement.hpp"

namespace sluice::db::mariadb {

using db::internal::Reply;

/// Used once. Statements must outlive it.
class Exchange {
public:
    enum class Within : std::uint8_t { autocommit, unit };

    Exchange(Link& link, Within within) : link_(link), within_(within) {}

    /// A literal of the driver's own, whose result nobody asks for. It travels together with its neighbours.
    void add_control(std::string_view sql);
    /// Throws a `query` error for what cannot be sent.
    void add(const Statement& statement);
    /// A cancellation is noted and waited out; nothing is stopped on the server and nothing left out: for COMMIT.
    void never_stop() noexcept { stops_ = false; }

    /// Does not throw, cancellation included: `interrupted` tells of it. Afterwards the link is ready for the next
    /// exchange, or lost.
    Task<Reply> run(Hearing hearing);

    /// For a caller with calls of its own instead of `run`: `begin`, then `settle` for each call that is under way,
    /// then `end`.
    Task<void> begin(Hearing hearing);
    /// Until the call under way has ended, stopped if the coroutine is cancelled.
    Task<void> settle();
    Task<Reply> end();
    /// Notes what the statement failed with.
    void take_error(const Said& said, std::string_view sql);
    [[nodiscard]] bool stopped() const noexcept { return reply_.failed() || (reply_.interrupted && stops_); }

private:
    struct Item {
        std::string_view sql;
        Parameters parameters;
        bool control = false;                     // nobody asks for its result
        bool text = false;                        // sent as text, with its neighbours
        std::optional<TranslatedSql> translated;  // of one that was not prepared when it was added
    };

    Task<void> run_texts();
    Task<void> run_statement(Item& item);
    Task<Prepared*> prepare(Item& item);
    Task<void> execute(Item& item, Prepared& prepared);
    Task<void> read_results(Item& item, Prepared& prepared);
    Task<void> read_rows(Item& item, Prepared& prepared, bool wanted);
    void check_still_open(const Item& item);
    void take_statement_error(const Item& item, MYSQL_STMT* statement);
    void lose(const Said& said);

    Link& link_;
    Within within_;
    Hearing hearing_ = Hearing::normal;
    bool stops_ = true;
    bool killed_ = false;  // a KILL QUERY may still hit the next statement
    bool throws_ = true;   // of the coroutine, before
    std::vector<Item> items_;
    std::size_t next_ = 0;
    std::optional<Link::Limit> limit_;
    Reply reply_;
};

}  // namespace sluice::db::mariadb
