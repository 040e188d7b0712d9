// One Connector/C connection on Asio: opening it, driving its non-blocking calls, stopping what it does.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <mysql.h>

#include "sluice/db/internal/alarm.hpp"
#include "sluice/db/internal/foreign_socket.hpp"
#include "sluice/db/internal/helper_thread.hpp"
#include "sluice/db/internal/statement_cache.hpp"
#include "sluice/db/mariadb/internal/dsn.hpp"
#include "sluice/db/mariadb/internal/failure.hpp"
#include "sluice/db/pool/internal/link.hpp"
#include "sluice/db/row.hpp"

namespace sluice::db::mariadb {

using db::internal::Hearing;
using runtime::Task;

struct CloseConnection {
    void operator()(MYSQL* connection) const noexcept { mysql_close(connection); }
};
using ConnectionHandle = std::unique_ptr<MYSQL, CloseConnection>;

struct CloseStatement {
    void operator()(MYSQL_STMT* statement) const noexcept { mysql_stmt_close(statement); }
};
using StatementHandle = std::unique_ptr<MYSQL_STMT, CloseStatement>;

/// What every link of a data source shares.
struct LinkSettings {
    std::string source;
    Dsn dsn;
    std::size_t statement_limit = 256;  ///< prepared statements per connection
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds cleanup_limit{5'000};      ///< for a rollback, or the end of a cancelled statement
    std::shared_ptr<db::internal::HelperThread> helper;  ///< shared by the links: opens TLS connections
};

/// A statement that the server holds.
struct Prepared {
    StatementHandle handle;
    std::vector<std::size_t> order;  ///< of values, see TranslatedSql
    std::size_t placeholders = 0;
    std::shared_ptr<const Columns> columns;  ///< of its last result; shared with the rows that were read
    bool returns_what_it_changed = false;
    bool allowed_in_units = false;  ///< once the guard has looked at its text
};

class Link final : public pool::Link {
public:
    Link(ConnectionHandle connection, std::shared_ptr<const LinkSettings> settings, std::string address);
    ~Link() override;

    /// Opens a connection on this shard. Throws db::Error.
    static Task<std::unique_ptr<Link>> connect(std::shared_ptr<const LinkSettings> settings, core::SteadyTime deadline);

    [[nodiscard]] bool usable() const noexcept override;
    Task<bool> check() override;
    void leave_shard() override;
    void enter_shard() override;

    [[nodiscard]] MYSQL* handle() const noexcept { return connection_.get(); }
    [[nodiscard]] const std::string& source() const noexcept { return settings_->source; }
    [[nodiscard]] const LinkSettings& settings() const noexcept { return *settings_; }
    [[nodiscard]] db::internal::StatementCache<Prepared>& statements() noexcept { return statements_; }
    /// The server's max_allowed_packet.
    [[nodiscard]] std::size_t packet_limit() const noexcept { return packet_limit_; }
    [[nodiscard]] bool lost() const noexcept { return broken_; }
    /// It is not to be used any more; the call under way ends with an error.
    void give_up() noexcept;
    [[nodiscard]] bool in_transaction() const noexcept;
    /// What the connection's last call failed with.
    [[nodiscard]] Said said() const noexcept;

    /// A non-blocking call under way. What it points to must outlive it: destroyed before its end, it gives the link up
    /// and ends at once.
    class Call {
    public:
        /// `waits` is what the `…_start` answered, `resume` its `…_cont`.
        Call(Link& link, int waits, std::function<int(int ready)> resume);
        ~Call();
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;

    private:
        Link& link_;
    };
    /// Whether a call is under way: most answers are there when they are asked for.
    [[nodiscard]] bool calls() const noexcept { return waits_ != 0; }
    /// Until the call under way has ended; one that a lost link had ends at once. Throws operation_aborted, hearing
    /// normally, and nothing else: the call is then still under way.
    Task<void> finish(Hearing hearing);
    /// Fixed text, one statement without rows. False: it failed. Deaf.
    Task<bool> run_text(std::string sql);
    /// Asks the server, by another connection, to stop the statement under way. Does not throw: a server that cannot
    /// be told goes on. Deaf; a limit on this link ends it.
    Task<void> kill_statement();

    /// While it lives, the link is given up after `limit`.
    class Limit {
    public:
        Limit(Link& link, std::chrono::milliseconds limit);
        Limit(const Limit&) = delete;
        Limit& operator=(const Limit&) = delete;
        ~Limit() = default;

    private:
        db::internal::Alarm alarm_;
        db::internal::Alarm::Ends ends_;
    };

private:
    static Task<std::unique_ptr<Link>> open(std::shared_ptr<const LinkSettings> settings, std::string address,
                                            core::SteadyTime deadline, Hearing hearing);
    Task<void> greet(db::internal::Alarm& alarm, Hearing hearing);
    void read_variables(MYSQL_RES* variables);
    void end_call() noexcept;

    ConnectionHandle connection_;
    std::shared_ptr<const LinkSettings> settings_;  // shared by the links of a data source
    std::string address_;                           // where it is connected to
    std::optional<db::internal::ForeignSocket> socket_;
    db::internal::StatementCache<Prepared> statements_;
    std::size_t packet_limit_ = 0;
    int waits_ = 0;  // of the call under way; 0: none is
    std::function<int(int ready)> resume_;
    bool broken_ = false;
};

}  // namespace sluice::db::mariadb
