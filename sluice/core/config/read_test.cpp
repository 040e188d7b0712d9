#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "sluice/core/config/settings.hpp"

namespace sluice::core::config {
namespace {

class ConfigRead : public ::testing::Test {
protected:
    void SetUp() override { std::filesystem::create_directories(folder); }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(folder / name) << text;
        return (folder / name).string();
    }

    std::expected<Settings, std::vector<Problem>> run(const std::vector<std::string>& arguments) {
        std::vector<const char*> argv = {"program"};
        for (const std::string& argument : arguments)
            argv.push_back(argument.c_str());
        return read(schema, static_cast<int>(argv.size()), argv.data());
    }

    std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "sluice_config_read";
    Schema schema;
    Key<int> port = schema.option<int>("http.port", 1, "Port");
    Key<std::optional<std::string>> key = schema.secret("key", "A secret");
};

TEST_F(ConfigRead, reads_the_file_that_the_flag_names_and_the_secrets_it_names) {
    const std::string secret = file("secret", "hush\n");
    const std::string config = file("sluice.toml", "key_file = \"" + secret + "\"\n[http]\nport = 5\n");
    const auto settings = run({"--config=" + config});
    ASSERT_TRUE(settings.has_value()) << to_string(settings.error().front());
    EXPECT_EQ(settings->get(port), 5);
    EXPECT_EQ(settings->get(key), "hush");
}

TEST_F(ConfigRead, an_empty_file_is_no_problem_and_a_missing_one_is) {
    EXPECT_TRUE(run({"--config=" + file("empty.toml", "")}).has_value());
    const std::string missing = (folder / "missing.toml").string();
    const auto settings = run({"--config=" + missing});
    ASSERT_FALSE(settings.has_value());
    EXPECT_EQ(to_string(settings.error().front()), missing + ": cannot be read: No such file or directory");
    EXPECT_FALSE(run({"--config=" + folder.string()}).has_value());
}

}  // namespace
}  // namespace sluice::core::config
