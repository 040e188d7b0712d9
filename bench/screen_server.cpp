#include "bench/screen_server.hpp"

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>
#include <boost/describe.hpp>

#include "bench/harness.hpp"
#include "bench/percentiles.hpp"
#include "sluice/app/app.hpp"
#include "sluice/runtime/outside.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/wake.hpp"

namespace sluice::bench {

struct Seen {
    std::string key;
    std::int64_t due_ns = 0;  ///< when the producer had to commit it, on the monotonic clock
};
BOOST_DESCRIBE_STRUCT(Seen, (), (key, due_ns))

struct SeenState {
    std::int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(SeenState, (), (count))

struct SeenDelta {
    std::int64_t count = 0;
    std::int64_t due_ns = 0;
};
BOOST_DESCRIBE_STRUCT(SeenDelta, (), (count, due_ns))

/// Tells every subscriber of a key when the event was due.
struct LastSeen {
    using Event = Seen;
    using State = SeenState;
    using Delta = SeenDelta;
    static constexpr std::string_view name = "last_seen";
    static constexpr int state_version = 1;

    std::string key(const Event& event) const { return event.key; }
    Delta apply(State& state, const Event& event) const {
        ++state.count;
        return {state.count, event.due_ns};
    }
};

namespace {

using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

const outbox::Queue<Seen>& seen_queue() {
    static const outbox::Queue<Seen> queue("seen", outbox::lanes(4), [](const Seen& event) { return event.key; });
    return queue;
}

db::Task<void> publish(db::UnitOfWork& unit, Seen event) {
    seen_queue().publish(unit, event);
    co_return;
}

/// An open loop: every event is started when it is due, whether or not those before it are committed.
class Producer {
public:
    void attach(app::TenantParts& parts) {
        database_ = parts.database;
        shard_ = runtime::Shard::current();
    }
    void release() { database_.reset(); }

    std::string run(int rate, int seconds) {
        commits_ = Percentiles();
        runtime::block_on(*shard_, produce(rate, rate * seconds));
        return fmt::format("{} {:.4f} {:.4f}", commits_.count(), commits_.at(0.5), commits_.at(0.99));
    }

private:
    db::Task<void> produce(int rate, int events) {
        runtime::TaskScope commits(*shard_, core::Logger());
        const Clock::time_point start = Clock::now();
        for (int i = 0; i < events; ++i) {
            const Clock::time_point due = start + nanoseconds(std::int64_t{1'000'000'000} * i / rate);
            // lint: allow sleep: the pace of an open loop
            if (due > Clock::now()) co_await runtime::sleep_for(due - Clock::now());
            commits.spawn("commit", commit(due, i));
        }
        co_await commits.join();
        if (commits.failed() > 0) throw std::runtime_error("a commit failed");
    }

    db::Task<void> commit(Clock::time_point due, int number) {
        const Seen event{fmt::format("key-{}", number % kScreenKeys), nanoseconds(due.time_since_epoch()).count()};
        auto body = [&event](db::UnitOfWork& unit) { return publish(unit, event); };
        co_await database_->transaction({}, body);
        commits_.add(Clock::now() - due);
    }

    std::shared_ptr<db::DataSource> database_;
    runtime::Shard* shard_ = nullptr;
    Percentiles commits_;
};

/// The App prints where it listens on standard output, which is the line to whoever measures: read there.
class PrintedPort {
public:
    PrintedPort() : control_(::dup(STDOUT_FILENO)) {
        int ends[2];
        if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[1]);
        read_end_ = ends[0];
    }
    /// The port of the first line; afterwards standard output is what it was.
    std::string take() {
        std::string text;
        char byte = 0;
        while (::read(read_end_, &byte, 1) == 1 && byte != '\n')
            text += byte;
        ::dup2(control_, STDOUT_FILENO);
        ::close(control_);
        return text.substr(text.rfind(':') + 1);
    }

private:
    int control_;
    int read_end_ = -1;
};

void obey(Producer& producer, PrintedPort& printed) {
    const std::string port = printed.take();
    std::string line;
    while (read_line(line)) {
        std::istringstream words(line);
        std::string verb;
        int rate = 0;
        int seconds = 0;
        words >> verb >> rate >> seconds;
        try {
            answer(verb == "port" ? port : producer.run(rate, seconds));
        } catch (const std::exception& error) {
            answer(fmt::format("error: {}", error.what()));
        }
    }
    producer.release();
    ::kill(::getpid(), SIGTERM);
}

}  // namespace

int run_screen_server(const std::string& folder) {
    raise_descriptor_limit();
    PrintedPort printed;
    Producer producer;
    app::Settings settings;
    settings.data_dir = folder;
    settings.port = 0;
    settings.shards = 1;
    app::App server(settings, core::Logger::to_stderr(core::LogFormat::text, core::LogLevel::warn));
    server.tenant("bench", "Bench")
        .queue(seen_queue())
        .project<LastSeen>(seen_queue())
        .on_tenant_start([&producer](app::TenantParts& parts) -> db::Task<void> {
            producer.attach(parts);
            co_return;
        })
        .tenants_are_public();
    sigset_t ends;  // the thread is made before the App blocks what ends it
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    std::thread commands([&] { obey(producer, printed); });
    const int code = server.run();
    commands.join();
    return code;
}

}  // namespace sluice::bench
