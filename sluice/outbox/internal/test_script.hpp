// For the module's tests: handlers that do as they are told, waiting for what will come true, and the database's
// command line as a process of its own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/outbox/error.hpp"
#include "sluice/outbox/internal/test_bed.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::outbox {

/// A pause after which no test still runs.
inline constexpr std::chrono::hours kMuchLater{1};

/// Handlers that answer by payload; what is not told is ok.
struct Script {
    std::map<std::string, Outcome> told;
    std::vector<std::string> tried;  ///< payloads, every call
    std::vector<Message> done;       ///< answered with ok
    std::size_t batches = 0;

    void reject(const std::string& payload, std::string reason = "no") {
        told.insert_or_assign(payload, Outcome::reject(std::move(reason)));
    }
    void retry(const std::string& payload, std::optional<std::chrono::milliseconds> after = {}) {
        told.insert_or_assign(payload, Outcome::retry("later", after));
    }
    void set_aside(const std::string& payload) { retry(payload, kMuchLater); }
    void accept(const std::string& payload) { told.erase(payload); }

    [[nodiscard]] std::vector<std::string> payloads() const {
        std::vector<std::string> all;
        for (const Message& message : done)
            all.push_back(message.payload);
        return all;
    }
    /// The same, each once: a unit whose group was undone runs again.
    [[nodiscard]] std::vector<std::string> distinct_payloads() const {
        std::vector<std::string> all;
        for (const Message& message : done)
            if (std::ranges::find(all, message.payload) == all.end()) all.push_back(message.payload);
        return all;
    }
    [[nodiscard]] std::vector<std::string> payloads_of(const std::string& key) const {
        std::vector<std::string> all;
        for (const Message& message : done)
            if (message.key == key) all.push_back(message.payload);
        return all;
    }

    TransactionalHandler handler() {
        return [this](db::UnitOfWork&, const Message& message) { return handle(message); };
    }
    /// One that is told otherwise fails its batch.
    BatchHandler batch_handler() {
        return [this](db::UnitOfWork&, const Batch& batch) { return handle_batch(batch); };
    }
    LeasedHandler leased_handler() {
        return [this](LeasedBatch& batch) { return handle_leased(batch); };
    }

private:
    Outcome answer(const Message& message) {
        tried.push_back(message.payload);
        const auto found = told.find(message.payload);
        if (found != told.end()) return found->second;
        done.push_back(message);
        return Outcome::ok();
    }
    db::Task<Outcome> handle(const Message& message) { co_return answer(message); }
    db::Task<void> handle_batch(const Batch& batch) {
        ++batches;
        for (const Message& message : batch.messages) {
            tried.push_back(message.payload);
            const auto found = told.find(message.payload);
            if (found != told.end()) throw core::Error(found->second.reason());
        }
        done.insert(done.end(), batch.messages.begin(), batch.messages.end());
        co_return;
    }
    db::Task<void> handle_leased(LeasedBatch& batch) {
        ++batches;
        for (std::size_t i = 0; i < batch.messages().size(); ++i)
            batch.settle(i, answer(batch.messages()[i]));
        co_return;
    }
};

/// A test bed whose outbox is made for the case at hand.
class LettersBed : public Testbed {
public:
    ~LettersBed() { stop(); }  // before the scripts that its handlers refer to

    /// One that lives as long as the bed.
    [[nodiscard]] Script& script() { return scripts_.emplace_back(); }
    [[nodiscard]] DeadLetters& letters() { return outbox->dead_letters(); }

    /// Runs the shard until `holds` does; false when that takes too long.
    [[nodiscard]] bool until(const std::function<bool()>& holds) {
        return runtime::run_task(shard, wait_until(*this, holds));
    }
    /// The first column of the first row becomes `wanted`.
    [[nodiscard]] bool becomes(const std::string& sql, std::int64_t wanted) {
        return runtime::run_task(shard, wait_for_number(*this, sql, wanted));
    }
    [[nodiscard]] std::vector<DeadLetter> list(DeadLetterFilter filter = {}) {
        return run(letters().list(std::move(filter)));
    }
    [[nodiscard]] std::uint64_t count(DeadLetterFilter filter = {}) { return run(letters().count(std::move(filter))); }
    [[nodiscard]] std::uint64_t count(LetterState state) {
        DeadLetterFilter filter;
        filter.states.push_back(state);
        return count(std::move(filter));
    }

    void publish_message(Outgoing message) {
        const auto body = [&message](db::UnitOfWork& unit) { return publish_one(unit, message); };
        run(database->transaction({}, body));
    }
    /// One message that shares its tick with no other: on a server, units that commit quickly one after another may.
    void publish_alone(const std::string& queue, const std::string& key, const std::string& payload) {
        const core::Position before = outbox->head();
        publish(queue, {{key, payload}});
        EXPECT_TRUE(until([&] { return outbox->head() > before; })) << "nobody numbers";
    }
    static runtime::Task<void> publish_one(db::UnitOfWork& unit, Outgoing message) {
        outbox::publish(unit, std::move(message));
        co_return;
    }

    /// Everything that `sql` answers, as text, for comparing whole tables.
    [[nodiscard]] std::string dump(const std::string& sql) const { return shell(sql).output; }

    /// The database's own command line, as any other process would use it.
    [[nodiscard]] testing::ShellAnswer shell(const std::string& sql) const { return base.shell(sql); }
    /// Plain SQL of a producer that knows nothing of this library.
    [[nodiscard]] std::string insert_sql(const std::string& queue, const std::string& key,
                                         const std::string& payload) const {
        return "insert into sluice_message(queue, \"key\", type, payload) values ((select number from sluice_queue "
               "where"
               " name = '" +
               queue + "'), '" + key + "', 'Noted', " + sql_text.payload("'" + payload + "'") + ");";
    }

    static runtime::Task<bool> wait_for_number(LettersBed& bed, std::string sql, std::int64_t wanted) {
        const core::SteadyTime until = bed.shard.clock().steady_now() + kTooLong;
        for (;;) {
            const std::optional<std::int64_t> number = co_await number_or_none(*bed.database, sql);
            if (number == wanted) co_return true;
            if (bed.shard.clock().steady_now() > until) co_return false;
            co_await runtime::sleep_for(std::chrono::milliseconds(1));
        }
    }

private:
    static constexpr std::chrono::seconds kTooLong{20};

    static runtime::Task<bool> wait_until(LettersBed& bed, std::function<bool()> holds) {
        const core::SteadyTime until = bed.shard.clock().steady_now() + kTooLong;
        while (!holds()) {
            if (bed.shard.clock().steady_now() > until) co_return false;
            co_await runtime::sleep_for(std::chrono::milliseconds(1));
        }
        co_return true;
    }
    static runtime::Task<std::optional<std::int64_t>> number_or_none(db::DataSource& source, std::string sql) {
        std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query(sql);
        if (result.empty()) co_return std::nullopt;
        co_return as_number(result.rows[0].at(0));
    }

    std::list<Script> scripts_;
};

/// Tries follow one another at once.
inline SubscriptionSettings hasty(std::optional<std::uint32_t> max_attempts = 16,
                                  PoisonPolicy poison = PoisonPolicy::dead_letter) {
    SubscriptionSettings settings;
    settings.retry.base = std::chrono::milliseconds(1);
    settings.retry.max = std::chrono::milliseconds(2);
    settings.max_attempts = max_attempts;
    settings.poison = poison;
    return settings;
}

/// The kind of the outbox's error that `call` throws and its text; "no error" if it throws none.
template <class Call>
std::pair<std::string, std::string> error_of(Call call) {
    try {
        call();
    } catch (const Error& e) {
        return {std::string(to_string(e.kind())), e.what()};
    }
    return {"no error", ""};
}

}  // namespace sluice::outbox
