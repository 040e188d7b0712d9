// One round trip: statements queued in libpq's pipeline mode, one synchronisation point, their results.
//
//     Exchange exchange(link);
//     exchange.add_control("BEGIN");
//     exchange.add(statement);
//     const Reply reply = co_await exchange.run(Hearing::normal);
#pragma once

#include <string>
#include <vector>

#include "sluice/db/internal/reply.hpp"
#include "sluice/db/postgres/internal/link.hpp"
#include "sluice/db/postgres/internal/parameters.hpp"
#include "sluice/db/statement.hpp"

namespace sluice::db::postgres {

struct Reply : db::internal::Reply {
    std::string last_tag;  ///< of the last statement that was answered: "COMMIT", "INSERT 0 1"
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
