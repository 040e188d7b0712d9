#include <chrono>
#include <filesystem>

#include "driver.hpp"
#include "sluice/core/assert.hpp"
#include "sluice/db/sqlite/database.hpp"

namespace sluice::contract {
namespace {

std::shared_ptr<db::DataSource> open_file(const std::string& path, core::Metrics& metrics) {
    db::sqlite::Settings settings;
    settings.name = "sandbox";
    settings.path = path;
    // The suite measures no time, and a sanitizer's build on a busy machine is slow.
    settings.hold_limit = settings.stuck_limit = std::chrono::seconds(60);
    return db::sqlite::Database::open(settings, {}, metrics);
}

class FileSandbox final : public Sandbox {
public:
    FileSandbox() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice_contract_XXXXXX").string();
        SLUICE_ASSERT(mkdtemp(pattern.data()) != nullptr, "cannot make {}", pattern);
        folder_ = pattern;
    }
    ~FileSandbox() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    std::shared_ptr<db::DataSource> open(core::Metrics& metrics) override { return open_file(location(), metrics); }
    [[nodiscard]] std::string location() const override { return (folder_ / "sandbox.sqlite3").string(); }

private:
    std::filesystem::path folder_;
};

class SqliteDriver final : public Driver {
public:
    [[nodiscard]] std::string name() const override { return "sqlite"; }
    [[nodiscard]] const TypeNames& types() const override { return types_; }
    [[nodiscard]] std::unique_ptr<Sandbox> make_sandbox() const override { return std::make_unique<FileSandbox>(); }
    [[nodiscard]] std::shared_ptr<db::DataSource> open(const std::string& location,
                                                       core::Metrics& metrics) const override {
        return open_file(location, metrics);
    }

private:
    TypeNames types_{.boolean = "integer",
                     .integer = "integer",
                     .real = "real",
                     .text = "text",
                     .bytes = "blob",
                     .timestamp = "text",
                     .uuid = "blob",
                     .json = "text",
                     .integers = "text",
                     .texts = "text",
                     .bytes_array = "text"};
};

}  // namespace

const Driver& sqlite_driver() {
    static const SqliteDriver driver;
    return driver;
}

}  // namespace sluice::contract
