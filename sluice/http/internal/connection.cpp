#include "sluice/http/internal/connection.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include "sluice/core/error.hpp"
#include "sluice/core/unique_id.hpp"
#include "sluice/http/head_check.hpp"
#include "sluice/http/internal/request_parser.hpp"
#include "sluice/http/internal/serialize.hpp"
#include "sluice/http/internal/watch.hpp"
#include "sluice/http/problem.hpp"

namespace sluice::http::internal {
namespace {

using runtime::Task;

constexpr std::size_t kReadSize = 16 * 1024;
constexpr std::size_t kLingerBytes = 256 * 1024;

enum class Read : std::uint8_t { more, end, timed_out };

/// A request that cannot be served; the connection ends after the answer.
struct Refused {
    unsigned status = 400;
    std::string reason;
};

class Connection {
public:
    Connection(ServerShared& shared, runtime::Shard& shard, RunningHandlers& running, net::Stream stream)
        : shared_(shared),
          shard_(shard),
          running_(running),
          stream_(std::move(stream)),
          peer_(stream_.peer()),
          watch_(shard.executor()) {}

    Task<void> run();

private:
    Task<bool> serve_one();
    Task<bool> read_head();
    Task<std::optional<Request>> read_request();
    Task<bool> read_body(RequestParser& parser);
    Task<Read> read_more(std::chrono::milliseconds limit);
    Task<void> refuse(Refused refused);
    Task<void> linger();

    Task<bool> answer(RequestContext& context);
    Task<Response> respond(RequestContext& context, const Match& match);
    Task<bool> upgrade(RequestContext& context, const UpgradeHandler& handler);
    Task<bool> write(const RequestContext& context, Response response);
    template <class T>
    Task<T> within_request_time(Task<T> work);

    ServerShared& shared_;
    runtime::Shard& shard_;
    RunningHandlers& running_;
    net::Stream stream_;
    std::string peer_;
    Watch watch_;
    std::string input_;  ///< bytes read and not consumed
    std::size_t head_length_ = 0;
    std::optional<std::chrono::steady_clock::time_point> phase_deadline_;
};

Task<void> Connection::run() {
    bool again = true;
    while (again) {
        again = co_await serve_one();
    }
}

Task<Read> Connection::read_more(std::chrono::milliseconds limit) {
    // A phase has one deadline, however many reads it takes: a byte now and then does not extend it.
    const auto now = std::chrono::steady_clock::now();
    if (!phase_deadline_) phase_deadline_ = now + limit;
    if (*phase_deadline_ <= now) co_return Read::timed_out;
    watch_.arm(*phase_deadline_ - now, [this] { stream_.cancel(); });
    const std::size_t before = input_.size();
    input_.resize(before + kReadSize);
    std::size_t got = 0;
    bool failed = false;
    try {
        got = co_await stream_.read(std::as_writable_bytes(std::span(input_).subspan(before)));
    } catch (const boost::system::system_error&) {
        failed = true;
    }
    watch_.disarm();
    input_.resize(before + got);
    if (failed && watch_.fired()) co_return Read::timed_out;
    co_return failed || got == 0 ? Read::end : Read::more;
}

/// Answers whether a complete, accepted head stands at the front of `input_`.
Task<bool> Connection::read_head() {
    phase_deadline_.reset();
    bool begun = !input_.empty();
    while (true) {
        HeadVerdict verdict = check_head(input_, shared_.settings.head);
        if (verdict.state == HeadState::complete) {
            head_length_ = verdict.length;
            co_return true;
        }
        if (verdict.state == HeadState::refused) {
            Refused refused{verdict.status, std::move(verdict.reason)};
            co_await refuse(std::move(refused));
            co_return false;
        }
        const Read read = co_await read_more(begun ? shared_.settings.head_time : shared_.settings.idle_time);
        if (read == Read::end || (read == Read::timed_out && !begun)) co_return false;
        if (read == Read::timed_out) {
            Refused refused{408, "the request's head did not arrive in time"};
            co_await refuse(std::move(refused));
            co_return false;
        }
        if (!begun) phase_deadline_.reset();  // from idling to reading a head
        begun = true;
    }
}

Task<bool> Connection::read_body(RequestParser& parser) {
    phase_deadline_.reset();
    while (!parser.done()) {
        const Read read = co_await read_more(shared_.settings.body_time);
        if (read == Read::end) co_return false;
        Refused refused{408, "the request's body did not arrive in time"};
        if (read == Read::more) {
            auto progress = parser.feed(input_);
            input_.erase(0, progress.consumed);
            if (progress.refused == 0) continue;
            refused = {progress.refused, std::move(progress.reason)};
        }
        co_await refuse(std::move(refused));
        co_return false;
    }
    co_return true;
}

Task<std::optional<Request>> Connection::read_request() {
    const bool has_head = co_await read_head();
    if (!has_head) co_return std::nullopt;
    RequestParser parser(shared_.settings.body_limit);
    auto progress = parser.feed(std::string_view(input_).substr(0, head_length_));
    const auto declared = parser.declared_length();
    if (progress.refused == 0 && declared && *declared > shared_.settings.body_limit)
        progress = {
            0, 413,
            fmt::format("body: {} bytes declared, at most {} are taken", *declared, shared_.settings.body_limit)};
    if (progress.refused == 0) {
        input_.erase(0, progress.consumed);
        if (!parser.done() && !input_.empty()) {
            progress = parser.feed(input_);
            input_.erase(0, progress.consumed);
        } else if (!parser.done() && parser.expects_continue()) {
            constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
            co_await stream_.write_all(std::as_bytes(std::span(kContinue)));
        }
    }
    if (progress.refused != 0) {
        Refused refused{progress.refused, std::move(progress.reason)};
        co_await refuse(std::move(refused));
        co_return std::nullopt;
    }
    const bool complete = co_await read_body(parser);
    if (!complete) co_return std::nullopt;
    co_return parser.take(peer_);
}

Task<bool> Connection::serve_one() {
    std::optional<Request> request = co_await read_request();
    if (!request) co_return false;
    RequestContext context;
    context.request = std::move(*request);
    context.id = core::unique_id();
    context.deadline = shard_.clock().steady_now() + shared_.settings.request_time;
    shared_.metrics.requests.add();
    const auto started = std::chrono::steady_clock::now();
    const bool again = co_await answer(context);
    shared_.metrics.seconds.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    co_return again;
}

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

Task<bool> Connection::answer(RequestContext& context) {
    const Place place(shared_);
    if (!place.taken()) {
        shared_.metrics.shed.add();
        Response busy = problem(context, 503, "too many requests are in progress; send it again after Retry-After");
        busy.headers.add("Retry-After", "1");
        co_return co_await write(context, std::move(busy));
    }
    std::optional<TenantRefusal> refusal;
    std::string path = context.request.path;
    if (shared_.router->tenants()) {
        auto bound = shared_.router->tenants()(context.request);
        path = bound ? bound->path : bound.error().path;
        if (bound) {
            context.tenant = std::move(bound->tenant);
            context.source = std::move(bound->source);
        } else {
            refusal = std::move(bound.error());
        }
    }
    Match match = shared_.router->match(context.request.method, path);
    context.parameters = match.parameters;
    const bool needs_tenant =
        match.route != nullptr && match.route->tenancy == Tenancy::required && shared_.router->tenants();
    if (needs_tenant && refusal) co_return co_await write(context, problem(context, refusal->status, refusal->detail));
    if (needs_tenant && !context.tenant)
        co_return co_await write(
            context,
            problem(context, 400,
                    "the request names no tenant; send the header X-Tenant or put /t/<tenant> before the path"));
    if (match.route != nullptr && std::holds_alternative<UpgradeHandler>(match.route->handler))
        co_return co_await upgrade(context, std::get<UpgradeHandler>(match.route->handler));
    Response response = co_await respond(context, match);
    co_return co_await write(context, std::move(response));
}

Task<Response> Connection::respond(RequestContext& context, const Match& match) {
    const auto& request = context.request;
    const Handler* handler = match.route != nullptr ? &std::get<Handler>(match.route->handler) : nullptr;
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (handler == nullptr && match.allow.empty() && reads && shared_.router->fallback())
        handler = &shared_.router->fallback();
    if (handler == nullptr && !match.allow.empty()) {
        Response wrong =
            problem(context, 405, fmt::format("{} is not for {}; use {}", request.method, request.path, match.allow));
        wrong.headers.add("Allow", match.allow);
        co_return wrong;
    }
    if (handler == nullptr)
        co_return problem(context, 404,
                          fmt::format("there is nothing at {}; the documentation lists the routes", request.path));
    std::exception_ptr error;
    try {
        co_return co_await within_request_time((*handler)(context));
    } catch (...) {
        error = std::current_exception();
    }
    if (shard_.clock().steady_now() >= context.deadline)
        co_return problem(context, 504,
                          "the request took too long and was cancelled; what it had not committed is undone");
    Response failed = problem_of(context, error);
    if (failed.status >= 500)
        shared_.log.warn("request {} {} {}: {}", context.id, request.method, request.path, core::describe(error));
    co_return failed;
}

template <class T>
Task<T> Connection::within_request_time(Task<T> work) {
    boost::asio::cancellation_signal signal;
    running_.insert(&signal);
    watch_.arm(shared_.settings.request_time, [&signal] { signal.emit(boost::asio::cancellation_type::terminal); });
    std::exception_ptr error;
    std::optional<T> result;
    try {
        result.emplace(co_await boost::asio::co_spawn(
            shard_.executor(), std::move(work), boost::asio::bind_cancellation_slot(signal.slot(), runtime::use_task)));
    } catch (...) {
        error = std::current_exception();
    }
    watch_.disarm();
    running_.erase(&signal);
    if (error) std::rethrow_exception(error);
    co_return std::move(*result);
}

Task<bool> Connection::upgrade(RequestContext& context, const UpgradeHandler& handler) {
    std::optional<UpgradeDecision> decision;
    std::exception_ptr error;
    try {
        decision.emplace(co_await within_request_time(handler(context)));
    } catch (...) {
        error = std::current_exception();
    }
    if (error) co_return co_await write(context, problem_of(context, error));
    if (auto* refused = std::get_if<Response>(&*decision)) co_return co_await write(context, std::move(*refused));
    auto& accepted = std::get<Upgrade>(*decision);
    const std::string head = upgrade_head(accepted.headers);
    co_await stream_.write_all(std::as_bytes(std::span(head)));
    accepted.takeover(std::move(stream_), std::move(input_));
    co_return false;
}

Task<bool> Connection::write(const RequestContext& context, Response response) {
    const bool again = context.request.keep_alive && !shared_.draining.load(std::memory_order_relaxed);
    if (response.status >= 500)
        shared_.metrics.server_errors.add();
    else if (response.status >= 400)
        shared_.metrics.client_errors.add();
    response.headers.set("X-Request-Id", context.id);
    const std::string bytes = serialize(response, again, context.request.method == "HEAD");
    watch_.arm(shared_.settings.write_time, [this] { stream_.cancel(); });
    bool written = true;
    try {
        co_await stream_.write_all(std::as_bytes(std::span(bytes)));
    } catch (const boost::system::system_error&) {
        written = false;
    }
    watch_.disarm();
    if (written && !again) co_await linger();
    co_return written&& again;
}

Task<void> Connection::refuse(Refused refused) {
    shared_.metrics.client_errors.add();
    const std::string id = core::unique_id();
    Response response = problem(refused.status, refused.reason, id);
    response.headers.set("X-Request-Id", id);
    const std::string bytes = serialize(response, false, false);
    watch_.arm(shared_.settings.write_time, [this] { stream_.cancel(); });
    bool written = true;
    try {
        co_await stream_.write_all(std::as_bytes(std::span(bytes)));
    } catch (const boost::system::system_error&) {
        written = false;
    }
    watch_.disarm();
    if (written) co_await linger();
}

/// Reads on for a moment: closing with unread bytes would send RST, which may destroy the answer on its way.
Task<void> Connection::linger() {
    stream_.shutdown_write();
    phase_deadline_.reset();
    std::size_t discarded = 0;
    while (discarded < kLingerBytes) {
        input_.clear();
        const Read read = co_await read_more(std::chrono::milliseconds(1'000));
        if (read != Read::more) co_return;
        discarded += input_.size();
    }
}

}  // namespace

runtime::Task<void> serve_connection(ServerShared& shared, runtime::Shard& shard, RunningHandlers& running,
                                     net::Stream stream) {
    Connection connection(shared, shard, running, std::move(stream));
    std::exception_ptr error;
    try {
        co_await connection.run();
    } catch (const boost::system::system_error&) {
        error = std::current_exception();  // reset, or cancelled by a drain: the socket is gone either way
    }
    shared.connections.fetch_sub(1);
    shared.metrics.connections.add(-1);
}

}  // namespace sluice::http::internal
