// One libpq connection on Asio: opening it, waiting for its socket, cancelling what it does.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <libpq-fe.h>

#include "sluice/db/internal/alarm.hpp"
#include "sluice/db/internal/foreign_socket.hpp"
#include "sluice/db/pool/internal/link.hpp"
#include "sluice/db/postgres/internal/canceller.hpp"
#include "sluice/db/postgres/internal/dsn.hpp"
#include "sluice/db/postgres/internal/prepared.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::db::postgres {

using runtime::Task;

struct FinishConnection {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using ConnectionHandle = std::unique_ptr<PGconn, FinishConnection>;

struct ClearResult {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultHandle = std::unique_ptr<PGresult, ClearResult>;

/// What every link of a data source shares.
struct LinkSettings {
    std::string source;
    Dsn dsn;
    std::size_t statement_limit = 256;  ///< prepared statements per connection; 0: none are prepared
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds cleanup_limit{5'000};  ///< for a rollback, or the end of a cancelled statement
};

using db::internal::Hearing;

class Link final : public pool::Link {
public:
    Link(ConnectionHandle connection, std::shared_ptr<const LinkSettings> settings,
         std::shared_ptr<Canceller> canceller);
    ~Link() override;

    /// Opens a connection on this shard. Throws db::Error.
    static Task<std::unique_ptr<Link>> connect(std::shared_ptr<const LinkSettings> settings,
                                               std::shared_ptr<Canceller> canceller, core::SteadyTime deadline);

    [[nodiscard]] bool usable() const noexcept override;
    Task<bool> check() override;
    void leave_shard() override;
    void enter_shard() override;

    [[nodiscard]] PGconn* handle() const noexcept { return connection_.get(); }
    [[nodiscard]] const std::string& source() const noexcept { return settings_->source; }
    [[nodiscard]] const LinkSettings& settings() const noexcept { return *settings_; }
    [[nodiscard]] PreparedStatements* statements() noexcept { return statements_ ? &*statements_ : nullptr; }
    [[nodiscard]] bool lost() const noexcept { return broken_ || PQstatus(connection_.get()) == CONNECTION_BAD; }
    /// It is not to be used any more.
    void give_up() noexcept { broken_ = true; }

    /// Hands to the kernel what libpq holds, and reads meanwhile. Answers false when the connection is lost.
    Task<bool> flush(Hearing hearing);
    /// Waits until a result can be taken without waiting. Answers false when the connection is lost.
    Task<bool> until_ready(Hearing hearing);

    /// Asks the server to cancel what runs. Its results are still to be read.
    void request_cancel();
    /// After they were: waits until no request can hit a later statement, or the cleanup limit has passed.
    Task<void> cancel_settled();
    [[nodiscard]] bool cancel_pending() const noexcept { return cancel_ && !cancel_->told.load(); }

    /// While it lives, deaf waits end (as if the connection were lost) after `limit`.
    class Limit {
    public:
        Limit(Link& link, std::chrono::milliseconds limit);
        ~Limit() = default;
        Limit(const Limit&) = delete;
        Limit& operator=(const Limit&) = delete;

    private:
        db::internal::Alarm alarm_;
        db::internal::Alarm::Ends ends_;
    };

private:
    struct Cancel {
        explicit Cancel(runtime::Shard& shard) : wake(shard) {}
        std::atomic<bool> told{false};
        runtime::Wake wake;
    };
    ConnectionHandle connection_;
    std::shared_ptr<const LinkSettings> settings_;  // shared by the links of a data source
    std::shared_ptr<Canceller> canceller_;          // likewise
    std::optional<db::internal::ForeignSocket> socket_;
    std::optional<PreparedStatements> statements_;
    std::shared_ptr<Cancel> cancel_;  // shared with the canceller's thread
    bool broken_ = false;
};

}  // namespace sluice::db::postgres
