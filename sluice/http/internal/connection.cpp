#include "sluice/http/internal/connection.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <boost/asio/async_result.hpp>

#include "sluice/core/unique_id.hpp"
#include "sluice/http/head_check.hpp"
#include "sluice/http/internal/dispatch.hpp"
#include "sluice/http/internal/request_parser.hpp"
#include "sluice/http/internal/serialize.hpp"
#include "sluice/http/internal/watch.hpp"
#include "sluice/http/problem.hpp"

namespace sluice::http::internal {
namespace {

using runtime::Task;

constexpr std::size_t kLargestCopiedBody = 64 * 1024;
constexpr std::size_t kLingerBytes = 4 * 1024 * 1024;
constexpr std::chrono::milliseconds kLingerTime{1'000};

enum class Read : std::uint8_t { more, end, timed_out };

/// A request that cannot be served; the connection ends after the answer.
struct Refused {
    unsigned status = 400;
    std::string reason;
};

/// Counts a connection for as long as it lives.
class Counted {
public:
    explicit Counted(ServerShared& shared) : shared_(shared) { shared_.metrics.connections.add(1); }
    ~Counted() {
        shared_.connections.fetch_sub(1);  // the acceptor took the place
        shared_.metrics.connections.add(-1);
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

private:
    ServerShared& shared_;
};

/// Takes a place among the requests in flight for as long as it lives.
class Place {
public:
    explicit Place(ServerShared& shared) : shared_(shared) {
        taken_ = shared_.in_flight.fetch_add(1) < shared_.settings.max_in_flight;
        shared_.metrics.in_flight.add(1);
    }
    ~Place() {
        shared_.in_flight.fetch_sub(1);
        shared_.metrics.in_flight.add(-1);
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    [[nodiscard]] bool taken() const noexcept { return taken_; }

private:
    ServerShared& shared_;
    bool taken_ = false;
};

/// Lets a drain end a connection that waits for its next request.
class IdleMark {
public:
    IdleMark(Running& running, net::Stream& stream) : running_(running), stream_(stream) {
        running_.idle.insert(&stream_);
    }
    ~IdleMark() { running_.idle.erase(&stream_); }
    IdleMark(const IdleMark&) = delete;
    IdleMark& operator=(const IdleMark&) = delete;

private:
    Running& running_;
    net::Stream& stream_;
};

class Connection {
public:
    Connection(ServerShared& shared, runtime::Shard& shard, Running& running, net::Stream stream)
        : shared_(shared),
          shard_(shard),
          running_(running),
          stream_(std::move(stream)),
          peer_(stream_.peer()),
          watch_(shard.executor()),
          dispatcher_(shared, shard, running) {}

    Task<void> run();

private:
    Task<bool> serve_one();
    Task<bool> read_head();
    Task<bool> read_request(Request& into);
    Task<bool> read_body(RequestParser& parser);
    Task<Read> wait_for_request();
    Task<bool> readable();
    Task<Read> read_more(std::chrono::milliseconds limit);
    net::IoResult read_some() { return stream_.read_some(running_.read_buffer); }
    Read take(const net::IoResult& result);

    Task<UpgradeDecision> answer(RequestContext& context);
    Task<bool> write(const RequestContext& context, Response response);
    Task<bool> upgrade(Upgrade upgrade);
    Task<void> refuse(Refused refused);
    Task<bool> send(std::string_view head, std::string_view body);
    Task<void> linger();
    void count_error(unsigned status) const;

    ServerShared& shared_;
    runtime::Shard& shard_;
    Running& running_;
    net::Stream stream_;
    std::string peer_;
    Watch watch_;
    Dispatcher dispatcher_;
    std::string input_;  ///< bytes read and not consumed
    std::size_t head_length_ = 0;
    bool first_ = true;  ///< no request was read yet
    std::optional<std::chrono::steady_clock::time_point> phase_deadline_;
};

Task<void> Connection::run() {
    bool again = true;
    while (again) {
        again = co_await serve_one();
    }
}

/// Waits for the first byte of a request without holding a buffer. A drain ends the wait, but not a request that has
/// arrived. The first request of a connection is often there already; before every later one others have their turn.
Task<Read> Connection::wait_for_request() {
    bool may_be_there = std::exchange(first_, false);
    const auto limit = may_be_there ? shared_.settings.head_time : shared_.settings.idle_time;
    input_ = std::string();
    while (true) {
        const bool draining = shared_.draining.load(std::memory_order_relaxed);
        if (may_be_there || draining) {
            const net::IoResult result = read_some();
            if (result.status != net::IoStatus::would_block || draining) co_return take(result);
        }
        may_be_there = true;
        bool ready = false;
        {
            const IdleMark idle(running_, stream_);
            watch_.arm(limit, [this] { stream_.cancel(); });
            ready = co_await readable();
            watch_.disarm();
        }
        if (!ready) co_return take(read_some());
    }
}

Task<bool> Connection::readable() {
    auto initiate = [this](auto handler) { stream_.wait_readable(std::move(handler)); };
    bool ready = true;
    try {
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<runtime::Executor>&,
                                             void(boost::system::error_code)>(std::move(initiate), runtime::use_task);
    } catch (const boost::system::system_error&) {
        ready = false;
    }
    co_return ready;
}

Read Connection::take(const net::IoResult& result) {
    if (result.status != net::IoStatus::ok) return Read::end;
    input_.append(reinterpret_cast<const char*>(running_.read_buffer.data()), result.bytes);
    return Read::more;
}

Task<Read> Connection::read_more(std::chrono::milliseconds limit) {
    // A phase has one deadline, however many reads it takes: a byte now and then does not extend it.
    const auto now = std::chrono::steady_clock::now();
    if (!phase_deadline_) phase_deadline_ = now + limit;
    if (*phase_deadline_ <= now) co_return Read::timed_out;
    watch_.arm(*phase_deadline_ - now, [this] { stream_.cancel(); });
    const bool ready = co_await readable();
    watch_.disarm();
    if (!ready) co_return watch_.fired() ? Read::timed_out : Read::end;
    const net::IoResult result = read_some();
    if (result.status == net::IoStatus::would_block) co_return Read::more;  // a spurious wake-up
    co_return take(result);
}

/// Answers whether a complete, accepted head stands at the front of `input_`.
Task<bool> Connection::read_head() {
    phase_deadline_.reset();
    if (input_ == "\r\n") input_.clear();  // behind the last request; it does not begin the next one
    if (input_.empty()) {
        const Read first = co_await wait_for_request();
        if (first != Read::more) co_return false;
    }
    HeadVerdict verdict = check_head(input_, shared_.settings.head);
    while (verdict.state == HeadState::incomplete) {
        const std::size_t before = input_.size();
        const Read read = co_await read_more(shared_.settings.head_time);
        if (read == Read::end) co_return false;
        if (read == Read::timed_out)
            verdict = {HeadState::refused, 0, 408, "the request's head did not arrive in time"};
        else if (may_decide(input_, input_.size() - before, shared_.settings.head))
            verdict = check_head(input_, shared_.settings.head);
    }
    head_length_ = verdict.length;
    if (verdict.state == HeadState::complete) co_return true;
    Refused refused{verdict.status, std::move(verdict.reason)};
    co_await refuse(std::move(refused));
    co_return false;
}

Task<bool> Connection::read_body(RequestParser& parser) {
    phase_deadline_.reset();
    BodyProgress progress = parser.body(input_);
    while (true) {
        input_.erase(0, progress.consumed);
        if (progress.refused != 0) break;
        if (parser.done()) co_return true;
        const Read read = co_await read_more(shared_.settings.body_time);
        if (read == Read::end) co_return false;
        if (read == Read::timed_out)
            progress = {0, 408, "the request's body did not arrive in time"};
        else
            progress = parser.body(input_);
    }
    Refused refused{progress.refused, std::move(progress.reason)};
    co_await refuse(std::move(refused));
    co_return false;
}

/// Answers whether `into` is a complete request.
Task<bool> Connection::read_request(Request& into) {
    const bool has_head = co_await read_head();
    if (!has_head) co_return false;
    RequestParser parser(shared_.settings.body_limit);
    BodyProgress head = parser.head(std::string_view(input_).substr(0, head_length_));
    input_.erase(0, head_length_);
    if (head.refused != 0) {
        Refused refused{head.refused, std::move(head.reason)};
        co_await refuse(std::move(refused));
        co_return false;
    }
    if (!parser.done() && input_.empty() && parser.expects_continue()) {
        const bool sent = co_await send("HTTP/1.1 100 Continue\r\n\r\n", "");
        if (!sent) co_return false;
    }
    const bool complete = co_await read_body(parser);
    if (!complete) co_return false;
    into = parser.take();
    into.peer = peer_;
    co_return true;
}

Task<bool> Connection::serve_one() {
    // Not in the frame, which would be of a size that malloc looks for in its bins at every request.
    const auto owned = std::make_unique<RequestContext>();
    RequestContext& context = *owned;
    const bool complete = co_await read_request(context.request);
    if (!complete) co_return false;
    context.id = core::unique_id();
    context.deadline = shard_.clock().steady_now() + shared_.settings.request_time;
    shared_.metrics.requests.add();
    const auto started = std::chrono::steady_clock::now();
    const Place place(shared_);
    UpgradeDecision decision;
    if (place.taken()) {
        decision = co_await dispatcher_.run(context);
    } else {
        shared_.metrics.shed.add();
        Response busy = problem(context, 503, "too many requests are in progress; send it again after Retry-After");
        busy.headers.add("Retry-After", "1");
        decision = std::move(busy);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    shared_.metrics.seconds.observe(took.count());
    auto* response = std::get_if<Response>(&decision);
    if (response == nullptr) co_return co_await upgrade(std::move(std::get<Upgrade>(decision)));
    shared_.log.debug("{} {} {} {} in {:.6f} s", context.id, context.request.method, context.request.path,
                      response->status, took.count());
    co_return co_await write(context, std::move(*response));
}

Task<bool> Connection::upgrade(Upgrade upgrade) {
    const std::string head = upgrade_head(upgrade.headers);
    const bool sent = co_await send(head, "");
    if (!sent) co_return false;
    shared_.metrics.upgrades.add();
    upgrade.takeover(std::move(stream_), std::move(input_));
    co_return false;
}

void Connection::count_error(unsigned status) const {
    if (status >= 500)
        shared_.metrics.server_errors.add();
    else if (status >= 400)
        shared_.metrics.client_errors.add();
}

Task<bool> Connection::write(const RequestContext& context, Response response) {
    const bool again = context.request.keep_alive && !shared_.draining.load(std::memory_order_relaxed);
    count_error(response.status);
    response.headers.set("X-Request-Id", context.id);
    std::string head = serialize_head(response, again);
    std::string_view body = context.request.method == "HEAD" ? std::string_view() : body_of(response);
    if (body.size() <= kLargestCopiedBody) {
        head += body;
        body = {};
    }
    const bool sent = co_await send(head, body);
    if (sent && !again) co_await linger();
    co_return sent&& again;
}

Task<void> Connection::refuse(Refused refused) {
    count_error(refused.status);
    if (refused.status == 408) shared_.metrics.timeouts.add();
    const std::string id = core::unique_id();
    Response response = problem(refused.status, refused.reason, id);
    response.headers.set("X-Request-Id", id);
    const std::string head = serialize_head(response, false);
    const bool sent = co_await send(head, body_of(response));
    if (sent) co_await linger();
}

/// Writes both parts within the time for a response; answers whether they left. Most fit into the socket at once.
Task<bool> Connection::send(std::string_view head, std::string_view body) {
    std::span<const std::byte> rest = std::as_bytes(std::span(head));
    const net::IoResult put = stream_.write_some(rest);
    if (put.status == net::IoStatus::error) co_return false;
    rest = rest.subspan(put.bytes);
    if (rest.empty() && body.empty()) co_return true;
    watch_.arm(shared_.settings.write_time, [this] { stream_.cancel(); });
    bool written = true;
    try {
        co_await stream_.write_all(rest);
        co_await stream_.write_all(std::as_bytes(std::span(body)));
    } catch (const boost::system::system_error&) {
        written = false;
    }
    watch_.disarm();
    co_return written;
}

/// Reads on for a moment: closing with unread bytes would send RST, which may destroy the answer on its way.
Task<void> Connection::linger() {
    stream_.shutdown_write();
    phase_deadline_.reset();
    std::size_t discarded = 0;
    while (discarded < kLingerBytes) {
        input_.clear();
        const Read read = co_await read_more(kLingerTime);
        if (read != Read::more) co_return;
        discarded += input_.size();
    }
}

}  // namespace

runtime::Task<void> serve_connection(ServerShared& shared, runtime::Shard& shard, Running& running,
                                     net::Stream stream) {
    const Counted counted(shared);
    Connection connection(shared, shard, running, std::move(stream));
    co_await connection.run();
}

}  // namespace sluice::http::internal
