// docs/errors.md shows of every kind the text that the driver prints: each is produced here, on the real server.
#include <functional>

#include <gmock/gmock.h>

#include "gate.hpp"
#include "server_world.hpp"
#include "sluice/db/postgres/database.hpp"
#include "sluice/db/registry.hpp"
#include "sluice/testing/error_page.hpp"

namespace sluice::contract {
namespace {

using std::chrono::milliseconds;
using Examples = std::map<std::string, std::string>;

Task<std::string> text_of(Task<void> task) {
    std::string text = "no error";
    try {
        co_await std::move(task);
    } catch (const db::Error& error) {
        text = error.what();
    }
    co_return text;
}

Task<void> run_one(db::DataSource& source, std::string sql) {
    const auto connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(std::move(sql));
}

class ErrorPage : public ServerContract {
public:
    void SetUp() override {
        ServerContract::SetUp();
        shop_ = open_as(address());
        wait(run_one(*shop_, "insert into item(id, name) values (1, 'x')"));
    }
    void TearDown() override {
        wait(shop_->close());
        ServerContract::TearDown();
    }

    /// As the page calls it.
    std::shared_ptr<db::DataSource> open_as(const std::string& dsn, std::uint32_t connections = 4,
                                            milliseconds acquire_timeout = milliseconds(5'000)) {
        db::postgres::Settings settings;
        settings.name = "shop";
        settings.dsn = dsn;
        settings.pool.max = connections;
        settings.pool.acquire_timeout = acquire_timeout;
        return db::postgres::Database::open(settings, {}, metrics());
    }
    [[nodiscard]] const std::shared_ptr<db::DataSource>& shop() const noexcept { return shop_; }
    std::string failure_of(const std::string& sql) { return wait(text_of(run_one(*shop_, sql))); }
    std::string failure_of(db::TransactionOptions options, DbContract::Body body) {
        return wait(text_of(shop_->transaction(options, std::move(body))));
    }
    /// The failure of one statement on another source.
    std::string failure_on(const std::string& dsn, const std::string& sql) {
        const auto other = open_as(dsn);
        std::string text = wait(text_of(run_one(*other, sql)));
        wait(other->close());
        return text;
    }

    std::string config() {
        try {
            static_cast<void>(db::DataSourceRegistry().find("shop_b"));
        } catch (const db::Error& error) {
            return error.what();
        }
        return "no error";
    }
    std::string connection() {
        std::uint16_t port = 0;
        {
            const Gate closed(port_of(address()));
            port = closed.port();
        }
        return failure_on(by_way_of(address(), port), "select 1");
    }
    std::string pool_exhausted() {
        const auto small = open_as(address(), 1, milliseconds(300));
        const auto take_two = [](db::DataSource& source) -> Task<void> {
            const auto one = co_await source.acquire(db::AccessIntent::read);
            const auto two = co_await source.acquire(db::AccessIntent::read);
        };
        std::string text = wait(text_of(take_two(*small)));
        wait(small->close());
        return text;
    }
    std::string timeout() {
        db::TransactionOptions options;
        options.deadline = milliseconds(20);
        return failure_of(options,
                          [](db::UnitOfWork& unit) -> Task<void> { co_await unit.query("select pg_sleep(60)"); });
    }
    std::string serialization() {
        return failure_of({}, [this](db::UnitOfWork& unit) -> Task<void> {
            co_await unit.query("select id from item where id = 1 for update");
            const db::TransactionOptions options;
            const DbContract::Body impatient = [](db::UnitOfWork& other) -> Task<void> {
                co_await other.execute("set local lock_timeout = '20ms'");
                co_await other.query("select id from item where id = 1 for update");
            };
            co_await shop_->transaction(options, impatient);
        });
    }
    std::string read_only() {
        db::TransactionOptions options;
        options.read_only = true;
        return failure_of(options, [](db::UnitOfWork& unit) { return insert_item(unit, 2); });
    }
    std::string permission() {
        const std::string own = address();
        const std::size_t from = own.find(':', own.find("//")) + 1;
        return failure_on(own.substr(0, from) + "hunter2" + own.substr(own.find('@')), "select 1");
    }
    std::string outcome_unknown() {
        Gate gate(port_of(address()));
        const auto through = open_as(by_way_of(address(), gate.port()));
        gate.cut_at("COMMIT", Gate::Cut::answer);
        const db::TransactionOptions options;
        const DbContract::Body body = [](db::UnitOfWork& unit) { return insert_item(unit, 3); };
        std::string text = wait(text_of(through->transaction(options, body)));
        wait(through->close());
        return text;
    }

private:
    std::shared_ptr<db::DataSource> shop_;
};

TEST_P(ErrorPage, shows_the_text_of_every_kind_of_db_error) {
    const Examples produced{
        {"config", config()},
        {"connection", connection()},
        {"pool_exhausted", pool_exhausted()},
        {"timeout", timeout()},
        {"serialization", serialization()},
        {"conflict", failure_of("insert into item(id, name) values (1, 'again')")},
        {"constraint", failure_of("insert into item(id, name) values (null, 'x')")},
        {"query", failure_of("select nmae from item")},
        {"read_only", read_only()},
        {"permission", permission()},
        {"outcome_unknown", outcome_unknown()},
        {"other", failure_on(server_address("postgres.admin"), "select pg_read_file('/nowhere')")},
        {"cancelled", "–"},  // nobody meets it: a cancelled task ends by operation_aborted
    };
    const Examples shown = testing::error_examples(testing::docs_page("errors.md"), "db::Error");

    EXPECT_EQ(shown.size(), produced.size());
    EXPECT_EQ(to_string(static_cast<db::ErrorKind>(produced.size() - 1)), "other") << "a kind was added";
    for (const auto& [kind, text] : produced) {
        ASSERT_TRUE(shown.contains(kind)) << kind << " is not on the page; it prints\n" << text;
        EXPECT_TRUE(testing::shows(shown.at(kind), text)) << "printed: " << text << "\nshown:   " << shown.at(kind);
    }
}

std::string refusal_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const db::Error& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST_P(ErrorPage, shows_the_texts_of_the_registry) {
    db::DataSourceRegistry registry;
    registry.add(shop());
    const std::vector<std::string> produced{
        refusal_of([&] { static_cast<void>(registry.find("shop_b")); }),
        refusal_of([&] { registry.add(shop()); }),
        refusal_of([&] { static_cast<void>(registry.default_source()); }),
    };
    for (const std::string& text : produced)
        EXPECT_EQ(testing::error_row_complaint("Of the registry", text), "");
    EXPECT_EQ(testing::error_examples(testing::docs_page("errors.md"), "Of the registry").size(), produced.size());
}

INSTANTIATE_TEST_SUITE_P(Db, ErrorPage, ::testing::Values(server_kinds().front()),
                         [](const auto& given) { return given.param->driver->name(); });

}  // namespace
}  // namespace sluice::contract
