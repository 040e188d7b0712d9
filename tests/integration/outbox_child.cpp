#include "outbox_child.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iostream>
#include <memory>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "sluice/core/error.hpp"
#include "sluice/db/sqlite/database.hpp"
#include "sluice/migrate/runner.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::outbox_tests {
namespace {

constexpr int kProducers = 6;
constexpr int kKeysOfProducer = 3;
constexpr std::chrono::milliseconds kPoll{2};

/// What a producer writes next under one of its keys.
struct Next {
    std::string key;
    std::int64_t number = 1;
};

outbox::Outgoing message_of(const Next& next) {
    outbox::Outgoing message;
    message.queue = "orders";
    message.key = next.key;
    message.type = "Placed";
    message.payload = fmt::format("{} {}", next.key, next.number);
    return message;
}

db::Task<void> place(db::UnitOfWork& unit, const Next& next) {
    outbox::publish(unit, message_of(next));
    co_await unit.execute("insert into placed(key, number) values ($1, $2)", next.key, next.number);
}

db::Task<void> place_in_vain(db::UnitOfWork& unit, Next next) {
    next.number = -next.number;
    co_await place(unit, next);
    throw core::Error("this one is never meant to be");
}

/// `count` messages; with a savepoint that is undone between them, or undone as a whole.
db::Task<void> place_some(db::UnitOfWork& unit, Next& next, int count, bool stumbles, bool fails) {
    for (int i = 0; i < count; ++i) {
        co_await place(unit, next);
        ++next.number;
        if (!stumbles) continue;
        std::function<db::Task<void>(db::UnitOfWork&)> vain = [&next](db::UnitOfWork& inner) {
            return place_in_vain(inner, next);
        };
        try {
            co_await unit.savepoint(std::move(vain));
        } catch (const core::Error&) {
            // As meant.
        }
    }
    if (fails) throw core::Error("the unit is taken back");
}

class Program {
public:
    Program(const RunFiles& files, std::uint64_t life) : life_(life), random_(life) {
        letters_ = ::open(files.letters.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        shards_.start();
        db::sqlite::Settings settings;
        settings.name = "shop";
        settings.path = files.database;
        database_ = db::sqlite::Database::open(settings, core::Logger(), metrics_);
        runtime::block_on(shards_.at(0), start());
    }

    void publish_for_ever() {
        std::vector<std::future<void>> producers;
        for (int producer = 0; producer < kProducers; ++producer)
            producers.push_back(runtime::start_on(shards_.at(0), produce(producer)));
        for (std::future<void>& producer : producers)
            producer.get();
    }
    bool drain() { return runtime::block_on(shards_.at(0), drain_and_stop()); }
    void end() { shards_.stop(); }

private:
    db::Task<void> start() {
        migrate::Runner runner({outbox::migrations()}, core::Logger());
        co_await runner.run(*database_);
        std::unique_ptr<db::Connection> connection = co_await database_->acquire(db::AccessIntent::write);
        co_await connection->execute(
            "create table if not exists placed(key text, number integer, primary key (key, number))");
        co_await connection->execute(
            "create table if not exists applied(n integer primary key autoincrement, message integer, key text,"
            " number integer, lane integer, sequence integer)");
        connection.reset();
        auto builder = outbox::Outbox::builder(database_, shards_.at(0), core::Logger(), metrics_);
        builder.profile(runtime::Profile::low_latency()).queue("orders", outbox::lanes(4));
        outbox::SubscriptionSettings settings;
        settings.retry = {std::chrono::milliseconds(1), std::chrono::milliseconds(5)};
        settings.set_aside_after = std::chrono::milliseconds(4);
        settings.max_attempts = std::nullopt;
        const auto apply = [this](db::UnitOfWork& unit, const outbox::Message& message) {
            return handle(unit, message);
        };
        const auto mail = [this](outbox::LeasedBatch& batch) { return send(batch); };
        builder.transactional("orders", "apply", apply, settings);
        builder.leased("orders", "mail", mail, {}, settings);
        outbox_ = co_await builder.start();
    }

    db::Task<outbox::Outcome> handle(db::UnitOfWork& unit, const outbox::Message& message) {
        const std::size_t blank = message.payload.find(' ');
        co_await unit.execute("insert into applied(message, key, number, lane, sequence) values ($1, $2, $3, $4, $5)",
                              message.id.value(), message.payload.substr(0, blank),
                              std::stoll(message.payload.substr(blank + 1)), message.lane.value(),
                              message.sequence.value());
        co_return chance(30) ? outbox::Outcome::retry("by chance") : outbox::Outcome::ok();
    }

    /// What goes out of the door is written down before it is settled.
    db::Task<void> send(outbox::LeasedBatch& batch) {
        for (std::size_t i = 0; i < batch.messages().size(); ++i) {
            const outbox::Message& message = batch.messages()[i];
            const std::string line =
                fmt::format("{} {} {} {}\n", life_, message.lane.value(), message.sequence.value(), message.payload);
            if (::write(letters_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
            batch.settle(i, outbox::Outcome::ok());
        }
        co_return;
    }

    db::Task<std::int64_t> next_number(std::string key) {
        const std::unique_ptr<db::Connection> connection = co_await database_->acquire(db::AccessIntent::read);
        const db::Result result =
            co_await connection->query("select 1 + coalesce(max(number), 0) from placed where key = $1", key);
        co_return result.rows.at(0).get<std::int64_t>(0);
    }

    db::Task<void> produce(int producer) {
        std::vector<Next> keys;
        for (int i = 0; i < kKeysOfProducer; ++i) {
            Next next;
            next.key = fmt::format("p{}-{}", producer, i);
            next.number = co_await next_number(next.key);
            keys.push_back(std::move(next));
        }
        for (;;) {
            Next& next = keys[random_() % keys.size()];
            const std::int64_t first = next.number;
            const int count = 1 + static_cast<int>(random_() % 4);
            const bool stumbles = chance(10);
            const bool fails = chance(10);
            const auto body = [&](db::UnitOfWork& unit) { return place_some(unit, next, count, stumbles, fails); };
            std::exception_ptr error;
            try {
                co_await database_->transaction({}, body);
            } catch (const core::Error&) {
                error = std::current_exception();
            }
            if (error && !fails) std::rethrow_exception(error);
            if (error) next.number = first;
            if (!error) acknowledge(next.key, first, next.number);
        }
    }

    /// In one write, which a pipe takes whole or not at all.
    static void acknowledge(const std::string& key, std::int64_t first, std::int64_t end) {
        std::string lines;
        for (std::int64_t number = first; number < end; ++number)
            lines += fmt::format("{} {}\n", key, number);
        if (::write(STDOUT_FILENO, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) std::abort();
    }

    /// Those that were set aside wait beside the cursor: they are asked for by SQL.
    db::Task<bool> drain_and_stop() {
        bool drained = co_await outbox_->drained(std::chrono::seconds(60));
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (drained) {
            const bool apart = co_await any_parked();
            if (!apart) break;
            drained = std::chrono::steady_clock::now() < end;
            co_await runtime::sleep_for(kPoll);  // lint: allow sleep: between two looks at the database
        }
        co_await outbox_->stop(std::chrono::seconds(10));
        outbox_.reset();
        co_await database_->close();
        co_return drained;
    }
    db::Task<bool> any_parked() {
        const std::unique_ptr<db::Connection> connection = co_await database_->acquire(db::AccessIntent::read);
        const db::Result result = co_await connection->query("select count(*) from sluice_parked");
        co_return result.rows.at(0).get<std::int64_t>(0) > 0;
    }

    [[nodiscard]] bool chance(std::uint64_t one_in) { return random_() % one_in == 0; }

    std::uint64_t life_;
    std::mt19937_64 random_;  // on the shard
    int letters_ = -1;
    core::Metrics metrics_;
    runtime::ShardGroup shards_{1};
    std::shared_ptr<db::sqlite::Database> database_;
    std::unique_ptr<outbox::Outbox> outbox_;
};

}  // namespace

int run_outbox_child(const RunFiles& files, std::uint64_t life) {
    Program program(files, life);
    program.publish_for_ever();
    return 1;
}

int drain_outbox(const RunFiles& files, std::uint64_t life) {
    Program program(files, life);
    const bool drained = program.drain();
    program.end();
    return drained ? 0 : 1;
}

}  // namespace sluice::outbox_tests
