#include "sluice/db/registry.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"
#include "sluice/runtime/run_task.hpp"

namespace sluice::db {
namespace {

class NamedSource final : public DataSource {
public:
    explicit NamedSource(std::string name) : name_(std::move(name)) {}
    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    [[nodiscard]] Dialect dialect() const noexcept override { return Dialect::sqlite; }
    Task<std::unique_ptr<Connection>> acquire(AccessIntent intent, std::source_location borrower) override {
        asked.push_back(intent);
        borrowed_at = borrower.line();
        co_return nullptr;
    }
    Task<std::unique_ptr<Transaction>> begin(TransactionOptions, std::source_location) override { co_return nullptr; }
    Task<void> close() override { co_return; }

    std::vector<AccessIntent> asked;
    std::uint_least32_t borrowed_at = 0;

private:
    std::string name_;
};

std::shared_ptr<NamedSource> named(const std::string& name) {
    return std::make_shared<NamedSource>(name);
}

template <class Work>
std::string config_error_of(Work work) {
    try {
        work();
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::config);
        return error.what();
    }
    return "nothing was thrown";
}

TEST(Registry, finds_what_was_added) {
    DataSourceRegistry registry;
    const auto source = named("shop_a");
    registry.add(source);
    EXPECT_EQ(registry.find("shop_a"), source);
}

TEST(Registry, an_unknown_name_is_a_config_error_that_names_it) {
    const DataSourceRegistry registry;
    EXPECT_EQ(config_error_of([&] { static_cast<void>(registry.find("shop_x")); }),
              "shop_x: config: no data source of this name is registered");
}

TEST(Registry, a_name_is_taken_once) {
    DataSourceRegistry registry;
    registry.add(named("shop_a"));
    EXPECT_EQ(config_error_of([&] { registry.add(named("shop_a")); }),
              "shop_a: config: a data source of this name is registered already; use replace");
}

TEST(Registry, replace_answers_the_one_before) {
    DataSourceRegistry registry;
    const auto before = named("shop_a");
    const auto after = named("shop_a");
    registry.add(before);
    EXPECT_EQ(registry.replace(after), before);
    EXPECT_EQ(registry.find("shop_a"), after);
    config_error_of([&] { static_cast<void>(registry.replace(named("shop_b"))); });
}

TEST(Registry, removed_sources_are_not_kept_alive) {
    DataSourceRegistry registry;
    auto source = named("shop_a");
    const std::weak_ptr<DataSource> watch = source;
    registry.add(std::move(source));
    EXPECT_NE(registry.remove("shop_a"), nullptr);
    EXPECT_TRUE(watch.expired());
    config_error_of([&] { static_cast<void>(registry.find("shop_a")); });
}

TEST(Registry, there_is_no_silent_default) {
    DataSourceRegistry registry;
    registry.add(named("shop_a"));
    config_error_of([&] { static_cast<void>(registry.default_source()); });
    registry.declare_default("shop_a");
    EXPECT_EQ(registry.default_source()->name(), "shop_a");
    config_error_of([&] { static_cast<void>(registry.find("")); });
}

TEST(Registry, iterates_with_the_default_first_then_by_name) {
    DataSourceRegistry registry;
    for (const char* name : {"c", "a", "b"})
        registry.add(named(name));
    registry.declare_default("b");
    std::string order;
    for (const auto& source : registry.iter())
        order += source->name();
    EXPECT_EQ(order, "bac");
}

TEST(Registry, acquire_follows_the_pin) {
    DataSourceRegistry registry;
    const auto source = named("shop_a");
    registry.add(source);
    runtime::Shard shard(0, core::real_clock());
    ReadAfterWritePin pin;
    runtime::run_task(shard, registry.acquire("shop_a", AccessIntent::read, pin));
    runtime::run_task(shard, registry.acquire("shop_a", AccessIntent::write, pin));
    runtime::run_task(shard, registry.acquire("shop_a", AccessIntent::read, pin));
    EXPECT_EQ(source->asked, (std::vector{AccessIntent::read, AccessIntent::write, AccessIntent::write}));
}

TEST(Registry, acquire_passes_on_the_line_of_its_caller) {
    DataSourceRegistry registry;
    const auto source = named("shop_a");
    registry.add(source);
    runtime::Shard shard(0, core::real_clock());
    ReadAfterWritePin pin;
    const auto here = std::source_location::current();
    runtime::run_task(shard, registry.acquire("shop_a", AccessIntent::read, pin));
    EXPECT_EQ(source->borrowed_at, here.line() + 1);
}

TEST(Registry, look_ups_run_beside_changes) {
    DataSourceRegistry registry;
    registry.add(named("fixed"));
    std::atomic<bool> stop{false};
    std::atomic<int> found{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 2; ++i) {
        readers.emplace_back([&] {
            while (!stop.load()) {
                if (registry.find("fixed")->name() == "fixed") found.fetch_add(1);
                static_cast<void>(registry.iter().size());
            }
        });
    }
    for (int i = 0; i < 500; ++i) {
        registry.add(named("moving"));
        static_cast<void>(registry.replace(named("moving")));
        static_cast<void>(registry.remove("moving"));
    }
    while (found.load() < 100)
        std::this_thread::yield();
    stop.store(true);
    for (std::thread& reader : readers)
        reader.join();
    EXPECT_EQ(registry.iter().size(), 1U);
}

}  // namespace
}  // namespace sluice::db
