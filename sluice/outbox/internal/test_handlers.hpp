// For the module's tests: handlers that do as a test says and remember what they were given, and ways to wait for them.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/core/error.hpp"
#include "sluice/outbox/internal/message_row.hpp"
#include "sluice/outbox/internal/test_bed.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::outbox {

inline constexpr std::chrono::seconds kPatience{20};
inline constexpr std::chrono::milliseconds kPoll{2};

/// Runs the bed's shard until something holds.
class Watch {
public:
    explicit Watch(Testbed& bed) : bed_(bed), wake_(bed.shard) {}

    void ring() { wake_.notify(); }
    /// `holds` is asked again at every ring, and every few milliseconds. Answers false when patience ends.
    [[nodiscard]] bool until(std::function<bool()> holds) { return bed_.run(wait(wake_, std::move(holds))); }

private:
    static runtime::Task<bool> wait(runtime::Wake& wake, std::function<bool()> holds) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!holds()) {
            if (std::chrono::steady_clock::now() > end) co_return false;
            co_await wake.wait_for(std::chrono::milliseconds(5));
        }
        co_return true;
    }

    Testbed& bed_;
    runtime::Wake wake_;
};

/// Where handlers wait until a test lets them go. May be passed by several at once.
class Gate {
public:
    explicit Gate(runtime::Shard& shard) : shard_(shard) {}

    void open() {
        open_ = true;
        for (runtime::Wake* const waiter : waiters_)
            waiter->notify();
    }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }
    runtime::Task<void> pass() {
        runtime::Wake wake(shard_);
        struct Place {
            std::list<runtime::Wake*>& list;
            std::list<runtime::Wake*>::iterator at;
            ~Place() { list.erase(at); }
        };
        const Place place{waiters_, waiters_.insert(waiters_.end(), &wake)};
        while (!open_)
            co_await wake.wait();
    }

private:
    runtime::Shard& shard_;
    bool open_ = false;
    std::list<runtime::Wake*> waiters_;
};

/// Handlers that are content with everything.
inline db::Task<Outcome> ignore(db::UnitOfWork&, const Message&) {
    co_return Outcome::ok();
}
inline db::Task<void> ignore_batch(LeasedBatch& batch) {
    for (std::size_t i = 0; i < batch.messages().size(); ++i)
        batch.settle(i, Outcome::ok());
    co_return;
}

inline db::Task<void> open_gate(Gate& gate) {
    gate.open();
    co_return;
}
/// Tasks begin in their order: the workers know of the stop when the handlers go on.
inline db::Task<void> stop_and_open(Outbox& outbox, Gate& gate, runtime::Shard& shard) {
    runtime::TaskScope scope(shard, core::Logger());
    scope.spawn("stop", outbox.stop(kPatience));
    scope.spawn("open", open_gate(gate));
    co_await scope.join();
}

/// Asks the database until the first column of the first row is `wanted`. Answers what it was last.
inline runtime::Task<std::int64_t> until_number(db::DataSource& source, std::string sql, std::int64_t wanted) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        const std::int64_t number = co_await Testbed::first_number(source, sql);
        if (number == wanted || std::chrono::steady_clock::now() > end) co_return number;
        co_await runtime::sleep_for(kPoll);  // lint: allow sleep: between two looks at the database
    }
}
inline std::int64_t eventually(Testbed& bed, std::string sql, std::int64_t wanted) {
    return bed.run(until_number(*bed.database, std::move(sql), wanted));
}

/// The first column of every row.
inline runtime::Task<std::vector<std::string>> first_texts(db::DataSource& source, std::string sql) {
    std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::read);
    const db::Result result = co_await connection->query(sql);
    std::vector<std::string> all;
    for (const db::Row& row : result)
        all.push_back(as_string(row.at(0)));
    co_return all;
}
inline std::vector<std::string> texts(Testbed& bed, std::string sql) {
    return bed.run(first_texts(*bed.database, std::move(sql)));
}

/// The text of what `call` throws; empty if it throws nothing.
template <class Call>
std::string failure_text(Call call) {
    try {
        call();
    } catch (const std::exception& e) {
        return e.what();
    }
    return {};
}

/// Pauses of milliseconds, and keys that are never set aside.
inline SubscriptionSettings patient() {
    SubscriptionSettings settings;
    settings.retry = {std::chrono::milliseconds(1), std::chrono::milliseconds(5)};
    settings.set_aside_after = std::nullopt;
    settings.max_attempts = std::nullopt;
    return settings;
}

/// A transactional handler whose writes can be counted: every message goes into the table `effect` of its unit, then it
/// is answered as told.
class Effects {
public:
    explicit Effects(Testbed& bed) : watch(bed), bed_(bed) { bed.make_list("effect", "\"key\" text, payload text"); }

    /// Nothing: ok. May throw. For batches anything but ok is thrown.
    std::function<Outcome(const Message&)> answer;
    std::vector<Message> tries;
    std::vector<std::vector<std::string>> batches;
    Watch watch;

    TransactionalHandler handler() {
        return [this](db::UnitOfWork& unit, const Message& message) { return take(unit, message); };
    }
    BatchHandler batch_handler() {
        return [this](db::UnitOfWork& unit, const Batch& batch) { return take_batch(unit, batch); };
    }
    /// Payloads in the order in which they were written for good.
    [[nodiscard]] std::vector<std::string> committed() { return texts(bed_, "select payload from effect order by n"); }
    [[nodiscard]] std::vector<std::string> committed_of(const std::string& key) {
        return texts(bed_, "select payload from effect where \"key\" = '" + key + "' order by n");
    }
    [[nodiscard]] std::size_t tries_of(const std::string& payload) const {
        std::size_t count = 0;
        for (const Message& message : tries)
            count += message.payload == payload ? 1U : 0U;
        return count;
    }

private:
    db::Task<Outcome> take(db::UnitOfWork& unit, const Message& message) {
        tries.push_back(message);
        watch.ring();
        co_await unit.execute("insert into effect(\"key\", payload) values ($1, $2)", message.key, message.payload);
        Outcome outcome = answer ? answer(message) : Outcome::ok();
        co_return outcome;
    }
    db::Task<void> take_batch(db::UnitOfWork& unit, const Batch& batch) {
        batches.emplace_back();
        for (const Message& message : batch.messages)
            batches.back().push_back(message.payload);
        watch.ring();
        for (const Message& message : batch.messages) {
            const Outcome outcome = co_await take(unit, message);
            if (outcome.kind() != Outcome::Kind::ok) throw core::Error(outcome.reason());
        }
    }

    Testbed& bed_;
};

/// Holds the write lock of an SQLite file until `gate` opens, then gives up what it wrote.
inline db::Task<void> write_and_wait(db::UnitOfWork& unit, Gate& gate, Watch& watch) {
    co_await unit.execute("insert into effect(\"key\", payload) values ('lock', '')");
    watch.ring();
    co_await gate.pass();
    throw core::Error("nothing of this is meant");
}
inline db::Task<void> hold_lock(db::DataSource& source, Gate& gate, Watch& watch) {
    const auto body = [&](db::UnitOfWork& unit) { return write_and_wait(unit, gate, watch); };
    try {
        co_await source.transaction({}, body);
    } catch (const core::Error&) {
        // As meant, or beyond hold_limit: either way the lock is free.
    }
}

/// A leased handler that settles message by message as told.
class Leases {
public:
    explicit Leases(Testbed& bed) : watch(bed) {}

    /// Nothing: every message is ok. An answer of nothing leaves the message unsettled. May throw.
    std::function<std::optional<Outcome>(const Message&)> answer;
    /// Before each message is settled, the handler works this long.
    std::chrono::milliseconds work{0};
    /// If there is one, handlers wait here with their batch before they settle anything.
    Gate* gate = nullptr;
    std::vector<Message> tries;
    std::vector<std::size_t> sizes;
    std::vector<std::string> settled;
    std::vector<std::chrono::milliseconds> remaining;
    Watch watch;

    LeasedHandler handler() {
        return [this](LeasedBatch& batch) { return take(batch); };
    }
    [[nodiscard]] std::size_t tries_of(const std::string& payload) const {
        std::size_t count = 0;
        for (const Message& message : tries)
            count += message.payload == payload ? 1U : 0U;
        return count;
    }

private:
    db::Task<void> take(LeasedBatch& batch) {
        sizes.push_back(batch.messages().size());
        for (const Message& message : batch.messages())
            tries.push_back(message);
        watch.ring();
        if (gate != nullptr) co_await gate->pass();
        for (std::size_t i = 0; i < batch.messages().size(); ++i) {
            if (work.count() > 0) co_await runtime::sleep_for(work);  // lint: allow sleep: it is the handler's work
            remaining.push_back(batch.remaining());
            const Message& message = batch.messages()[i];
            std::optional<Outcome> outcome = answer ? answer(message) : Outcome::ok();
            if (!outcome) continue;
            if (outcome->kind() == Outcome::Kind::ok) settled.push_back(message.payload);
            batch.settle(i, std::move(*outcome));
            watch.ring();
        }
    }
};

}  // namespace sluice::outbox
