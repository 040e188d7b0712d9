// One round trip: statements queued in libpq's pipeline mode, one synchronisation point, their results.
//
//     Exchange exchange(link);
//     exchange.add_control("BEGIN");
//     exchange.add(statement);
//     const Reply reply = co_await exchange.run(Hearing::normal);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sluice/db/error.hpp"
#include "sluice/db/postgres/internal/link.hpp"
#include "sluice/db/postgres/internal/parameters.hpp"
#include "sluice/db/row.hpp"
#include "sluice/db/statement.hpp"

namespace sluice::db::postgres {

struct Reply {
    std::vector<Result> results;  ///< of the statements before the first error, controls apart
    std::optional<Error> error;   ///< the first statement that failed; those behind it did not run
    std::optional<Error> loss;  ///< the connection went away; what it had not answered by then may or may not have run
    bool interrupted = false;   ///< the coroutine was cancelled; the server was told, and the results were read anyway
    std::string last_tag;       ///< of the last statement that was answered: "COMMIT", "INSERT 0 1"

    [[nodiscard]] bool failed() const noexcept { return error || loss; }
    /// Throws the cancellation, the error or the loss, if there is one.
    void rethrow() const;
};

/// Used once. Statements must outlive it.
class Exchange {
public:
    explicit Exchange(Link& link) : link_(link) {}

    /// A statement of the driver's own, whose result nobody asks for.
    void add_control(std::string sql);
    /// Throws a `query` error for what cannot be sent.
    void add(const Statement& statement);

    /// Does not throw, cancellation included: `interrupted` tells of it. Afterwards the link is ready for the next
    /// exchange, or lost.
    Task<Reply> run(Hearing hearing);

private:
    struct Item {
        std::string_view sql;
        Parameters parameters;
        bool control = false;
        std::string prepared;  // its name; empty: sent unprepared
    };
    enum class Step : std::uint8_t { deallocate, prepare, describe, run };
    struct Command {
        Step step;
        std::size_t item;
    };

    bool send();
    bool send_item(std::size_t index);
    bool send_garbage();
    Task<void> transfer(Hearing hearing);
    void take_result();
    void take_success(const PGresult* result);
    void take_error(const PGresult* result);
    void lose();
    void finish();

    Link& link_;
    std::vector<std::unique_ptr<std::string>> texts_;  // of controls
    std::vector<Item> items_;
    std::vector<Command> commands_;
    std::size_t command_ = 0;  // whose results come
    std::size_t prepared_now_ = 0;
    bool flushed_ = false;
    int synchronisations_left_ = 1;
    bool synchronised_ = false;
    Reply reply_;
};

}  // namespace sluice::db::postgres
