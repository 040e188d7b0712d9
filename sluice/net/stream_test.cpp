#include "sluice/net/stream.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/assert.hpp"
#include "sluice/net/acceptor.hpp"
#include "sluice/runtime/cancellation.hpp"
#include "sluice/runtime/run_task.hpp"
#include "sluice/runtime/scope.hpp"

namespace sluice::net {
namespace {

using runtime::run_task;
using runtime::Task;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Two ends of one connection over loopback, on one shard.
struct StreamPair {
    runtime::Shard shard{0, core::real_clock()};
    Stream here;
    Stream there;

    StreamPair() : StreamPair(connect()) {}

private:
    struct Ends {
        int client;
        int server;
    };
    explicit StreamPair(Ends ends)
        : here(Socket(shard.executor(), boost::asio::ip::tcp::v4(), ends.client)),
          there(Socket(shard.executor(), boost::asio::ip::tcp::v4(), ends.server)) {}

    static Ends connect() {
        const Listener listener = listen("127.0.0.1", 0);
        const int accepting = listener.open_another();
        const boost::asio::ip::tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), listener.port());
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int refused = ::connect(client, endpoint.data(), static_cast<socklen_t>(endpoint.size()));
        SLUICE_ASSERT(refused == 0, "loopback refuses a connection: {}", errno);
        pollfd incoming{accepting, POLLIN, 0};
        ::poll(&incoming, 1, 20'000);
        const int server = ::accept4(accepting, nullptr, nullptr, SOCK_CLOEXEC);
        ::close(accepting);
        return {client, server};
    }
};

Task<std::string> read_until_end(Stream& stream) {
    std::string all;
    std::array<std::byte, 4096> buffer;
    std::size_t got = 0;
    do {
        got = co_await stream.read(buffer);
        all += text_of(std::span(buffer).first(got));
    } while (got > 0);
    co_return all;
}

Task<void> write_then_finish(Stream& stream, std::string text) {
    co_await stream.write_all(bytes_of(text));
    stream.shutdown_write();
}

TEST(Stream, what_one_end_writes_the_other_reads_until_the_end) {
    StreamPair pair;
    run_task(pair.shard, write_then_finish(pair.here, "hello"));
    EXPECT_EQ(run_task(pair.shard, read_until_end(pair.there)), "hello");

    run_task(pair.shard, write_then_finish(pair.there, "the other way still works"));
    EXPECT_EQ(run_task(pair.shard, read_until_end(pair.here)), "the other way still works");
}

TEST(Stream, reading_ahead_of_the_peer_would_block) {
    StreamPair pair;
    std::array<std::byte, 16> buffer;
    EXPECT_EQ(pair.here.read_some(buffer).status, IoStatus::would_block);
}

TEST(Stream, nothing_asked_for_is_neither_an_end_nor_a_wait) {
    StreamPair pair;
    EXPECT_EQ(pair.here.read_some({}).status, IoStatus::ok);
    EXPECT_EQ(pair.here.write_some({}).status, IoStatus::ok);
    EXPECT_EQ(pair.here.write_gather({}).status, IoStatus::ok);
}

Task<void> store_text(Stream& stream, std::string& into) {
    into = co_await read_until_end(stream);
}

TEST(Stream, a_large_text_arrives_whole_through_short_writes) {
    StreamPair pair;
    std::string text(24 << 20, '\0');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>(i * 2'654'435'761u >> 24);
    const IoResult first = pair.here.write_some(bytes_of(text));
    ASSERT_EQ(first.status, IoStatus::ok);
    ASSERT_LT(first.bytes, text.size());  // the kernel does not take it at once
    IoResult next = first;
    std::size_t sent = 0;
    while (next.status == IoStatus::ok) {
        sent += next.bytes;
        next = pair.here.write_some(bytes_of(std::string_view(text).substr(sent)));
    }
    ASSERT_EQ(next.status, IoStatus::would_block);

    runtime::TaskScope scope(pair.shard, core::Logger());
    std::string received;
    scope.spawn("writer", write_then_finish(pair.here, text.substr(sent)));
    scope.spawn("reader", store_text(pair.there, received));
    run_task(pair.shard, scope.join());

    EXPECT_EQ(scope.failed(), 0u);
    EXPECT_TRUE(received == text);
}

TEST(Stream, slices_are_gathered_in_order_and_at_most_as_many_as_the_kernel_takes) {
    StreamPair pair;
    std::string digits = "0123456789";
    std::vector<iovec> slices;
    for (std::size_t i = 0; i < IOV_MAX + 100; ++i)
        slices.push_back({&digits[i % 10], 1});

    const IoResult put = pair.here.write_gather(slices);

    ASSERT_EQ(put.status, IoStatus::ok);
    EXPECT_EQ(put.bytes, static_cast<std::size_t>(IOV_MAX));
    pair.here.shutdown_write();
    const std::string received = run_task(pair.shard, read_until_end(pair.there));
    ASSERT_EQ(received.size(), static_cast<std::size_t>(IOV_MAX));
    EXPECT_EQ(received.substr(0, 12), "012345678901");
}

/// The errno of the failure of `task`, or 0.
int failure_of(runtime::Shard& shard, Task<std::string> task) {
    try {
        run_task(shard, std::move(task));
    } catch (const boost::system::system_error& e) {
        return e.code().value();
    }
    return 0;
}

TEST(Stream, a_reset_by_the_peer_is_an_error_and_not_an_end) {
    StreamPair pair;
    pair.there.reset();
    EXPECT_EQ(failure_of(pair.shard, read_until_end(pair.here)), ECONNRESET);
}

TEST(Stream, writing_to_a_peer_that_is_gone_is_an_error_and_no_signal) {
    StreamPair pair;
    pair.there.reset();
    IoResult put;
    while (put.status == IoStatus::ok)
        put = pair.here.write_some(bytes_of("x"));
    EXPECT_EQ(put.status, IoStatus::error);
    EXPECT_TRUE(put.error.value() == ECONNRESET || put.error.value() == EPIPE) << put.error.message();
}

TEST(Stream, close_ends_a_wait_with_operation_aborted) {
    StreamPair pair;
    std::vector<boost::system::error_code> results;
    pair.here.wait_readable([&](boost::system::error_code error) { results.push_back(error); });
    pair.shard.run_ready();
    EXPECT_TRUE(results.empty());

    pair.here.close();
    pair.shard.run_ready();

    EXPECT_EQ(results, std::vector<boost::system::error_code>{boost::asio::error::operation_aborted});
    EXPECT_FALSE(pair.here.is_open());
}

TEST(Stream, cancel_ends_the_wait_and_leaves_the_socket_usable) {
    StreamPair pair;
    std::vector<boost::system::error_code> results;
    pair.here.wait_readable([&](boost::system::error_code error) { results.push_back(error); });
    pair.here.cancel();
    pair.shard.run_ready();
    ASSERT_EQ(results.size(), 1u);
    EXPECT_EQ(results.front(), boost::asio::error::operation_aborted);

    run_task(pair.shard, write_then_finish(pair.there, "still here"));
    EXPECT_EQ(run_task(pair.shard, read_until_end(pair.here)), "still here");
}

TEST(Stream, a_wait_that_begins_after_the_bytes_came_ends_at_once) {
    StreamPair pair;
    run_task(pair.shard, write_then_finish(pair.there, "early"));
    int called = 0;
    pair.here.wait_readable([&](boost::system::error_code error) {
        EXPECT_FALSE(error);
        ++called;
        pair.shard.stop();
    });
    pair.shard.run();
    EXPECT_EQ(called, 1);
}

TEST(Stream, a_cancelled_task_leaves_its_read) {
    StreamPair pair;
    runtime::TaskScope scope(pair.shard, core::Logger());
    std::string received = "untouched";
    scope.spawn("reader", store_text(pair.there, received));
    pair.shard.run_ready();
    scope.cancel();
    run_task(pair.shard, scope.join());
    EXPECT_EQ(received, "untouched");
    EXPECT_EQ(scope.failed(), 0u);
}

TEST(Stream, the_peer_has_a_name_until_it_is_gone) {
    StreamPair pair;
    EXPECT_TRUE(pair.there.peer().starts_with("127.0.0.1:")) << pair.there.peer();
    pair.there.close();
    EXPECT_EQ(pair.there.peer(), "?");
}

}  // namespace
}  // namespace sluice::net
