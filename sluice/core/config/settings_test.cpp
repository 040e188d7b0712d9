#include "sluice/core/config/settings.hpp"

#include <gtest/gtest.h>

namespace sluice::core::config {
namespace {

using namespace std::chrono_literals;

class ConfigSettings : public ::testing::Test {
protected:
    std::expected<Settings, std::vector<Problem>> resolved() { return resolve(schema, sources); }

    std::string first_problem() {
        const auto settings = resolved();
        return settings ? "none" : to_string(settings.error().front());
    }

    Schema schema;
    Key<std::uint16_t> port = schema.option<std::uint16_t>("http.port", 8080, "Port of the public listener");
    Key<std::chrono::milliseconds> idle =
        schema.option<std::chrono::milliseconds>("http.idle_time", 60s, "Between requests");
    Key<ByteSize> body = schema.option("http.body_limit", ByteSize{1 << 20}, "Largest body");
    Key<std::string> format = schema.choice("log.format", "text", {"text", "json"}, "Form of log lines");
    Key<std::vector<std::string>> origins = schema.option<std::vector<std::string>>("http.origins", {}, "Allowed");
    Key<bool> quiet = schema.option("quiet", false, "Say less");
    Key<double> ratio = schema.option("ratio", 0.5, "A share");
    Key<int> shards = schema.option<int>("shards", 2, {1, 64}, "Threads");
    Key<std::optional<std::string>> key = schema.secret("identity.key", "Signs tokens");
    Key<std::string> source = schema.required<std::string>("tenants.*.source", "The tenant's data source");
    Key<std::string> label = schema.option<std::string>("tenants.*.label", "none", "Shown to people");
    Sources sources{.file_name = "sluice.toml", .file_text = {}, .environment = {}, .arguments = {}, .read_file = {}};
};

TEST_F(ConfigSettings, defaults_hold_without_any_source) {
    const auto settings = resolved();
    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(settings->get(port), 8080);
    EXPECT_EQ(settings->get(idle), 60s);
    EXPECT_EQ(settings->get(key), std::nullopt);
    EXPECT_TRUE(settings->names("tenants").empty());
}

TEST_F(ConfigSettings, flags_beat_environment_beats_file_beats_default) {
    sources.file_text = "shards = 3\nratio = 1\n[http]\nport = 1\nidle_time = \"1s\"\n";
    sources.environment = {{"SLUICE_HTTP__PORT", "2"}, {"SLUICE_HTTP__IDLE_TIME", "2s"}, {"PATH", "x"}};
    sources.arguments = {"--http.port=3", "--quiet"};
    const auto settings = resolved();
    ASSERT_TRUE(settings.has_value()) << first_problem();
    EXPECT_EQ(settings->get(port), 3);
    EXPECT_EQ(settings->get(idle), 2s);
    EXPECT_EQ(settings->get(shards), 3);
    EXPECT_EQ(settings->get(ratio), 1.0);
    EXPECT_TRUE(settings->get(quiet));
    EXPECT_EQ(settings->get(body).bytes, 1U << 20);
}

TEST_F(ConfigSettings, reads_lists_from_every_source) {
    sources.file_text = "[http]\norigins = [\"https://a.example\", \"https://b.example\"]\n";
    EXPECT_EQ(resolved()->get(origins), (std::vector<std::string>{"https://a.example", "https://b.example"}));
    sources.arguments = {"--http.origins=https://c.example, https://d.example"};
    EXPECT_EQ(resolved()->get(origins), (std::vector<std::string>{"https://c.example", "https://d.example"}));
}

TEST_F(ConfigSettings, names_chosen_by_the_configuration_fill_the_star) {
    sources.file_text = "[tenants.shop_b]\nsource = \"b\"\n[tenants.shop_a]\nsource = \"a\"\nlabel = \"Alder\"\n";
    const auto settings = resolved();
    ASSERT_TRUE(settings.has_value()) << first_problem();
    EXPECT_EQ(settings->names("tenants"), (std::vector<std::string>{"shop_a", "shop_b"}));
    EXPECT_EQ(settings->get(source, "shop_a"), "a");
    EXPECT_EQ(settings->get(label, "shop_a"), "Alder");
    EXPECT_EQ(settings->get(label, "shop_b"), "none");
}

TEST_F(ConfigSettings, what_is_required_is_missed_for_each_name) {
    sources.file_text = "[tenants.shop_a]\nlabel = \"Alder\"\n";
    EXPECT_EQ(
        first_problem(),
        "configuration: 'tenants.shop_a.source' is missing: set it in the file, as SLUICE_TENANTS__SHOP_A__SOURCE or "
        "with --tenants.shop_a.source=…");
}

TEST_F(ConfigSettings, unknown_keys_name_their_place_and_the_nearest_key) {
    sources.file_text = "\n[http]\nprot = 1\n";
    EXPECT_EQ(first_problem(), "sluice.toml:3:8: unknown key 'http.prot'; the nearest is 'http.port'");
    sources.file_text = "[tenants.shop_a]\nsource = \"a\"\nsorce = \"b\"\n";
    EXPECT_EQ(first_problem(),
              "sluice.toml:3:9: unknown key 'tenants.shop_a.sorce'; the nearest is 'tenants.shop_a.source'");
    sources.file_text = "something_else_altogether = 1\n";
    EXPECT_EQ(first_problem(), "sluice.toml:1:29: unknown key 'something_else_altogether'");
    sources.file_text.clear();
    sources.environment = {{"SLUICE_HTTP__PROT", "1"}};
    EXPECT_EQ(first_problem(), "environment SLUICE_HTTP__PROT: unknown key 'http.prot'; the nearest is 'http.port'");
    schema.leave_environment("SLUICE_HTTP__PROT");
    EXPECT_EQ(first_problem(), "none");
}

TEST_F(ConfigSettings, variables_of_test_programs_are_no_configuration) {
    sources.environment = {{"SLUICE_TEST_SCALE", "small"}, {"SLUICE_MUTANT", "none"}};
    EXPECT_EQ(first_problem(), "none");
}

TEST_F(ConfigSettings, bad_values_say_what_was_expected_and_all_are_listed) {
    sources.file_text =
        "shards = 65\nquiet = \"yes\"\n[http]\nport = \"80\"\nidle_time = 30\nbody_limit = true\n[log]\nformat = "
        "\"xml\"\n";
    const auto settings = resolved();
    ASSERT_FALSE(settings.has_value());
    std::string all;
    for (const Problem& problem : settings.error())
        all += to_string(problem) + "\n";
    EXPECT_EQ(settings.error().size(), 6U) << all;
    EXPECT_NE(all.find("sluice.toml:1:10: 'shards': expected an integer from 1 to 64, found 65"), std::string::npos)
        << all;
    EXPECT_NE(all.find("'quiet': expected true or false, found 'yes'"), std::string::npos) << all;
    EXPECT_NE(all.find("'http.port': expected an integer from 0 to 65535, found '80'"), std::string::npos) << all;
    EXPECT_NE(all.find("'http.idle_time': expected a duration with its unit, like \"30s\", found 30"),
              std::string::npos);
    EXPECT_NE(all.find("'http.body_limit': expected a size like \"64KiB\", found true"), std::string::npos) << all;
    EXPECT_NE(all.find("'log.format': expected one of text, json, found 'xml'"), std::string::npos) << all;
}

TEST_F(ConfigSettings, flags_must_have_their_form_and_appear_once) {
    sources.arguments = {"http.port=1"};
    EXPECT_EQ(first_problem(), "argument http.port=1: expected --name=value");
    sources.arguments = {"--http.port=1", "--http.port=2"};
    EXPECT_EQ(first_problem(), "flag --http.port: is given twice");
    sources.arguments = {"--http.port=70000"};
    EXPECT_EQ(first_problem(), "flag --http.port: 'http.port': expected an integer from 0 to 65535, found '70000'");
}

TEST_F(ConfigSettings, a_file_that_is_no_toml_names_line_and_column) {
    sources.file_text = "[http]\nport = = 1\n";
    EXPECT_EQ(first_problem().find("sluice.toml:2:"), 0U) << first_problem();
}

TEST_F(ConfigSettings, secrets_come_from_files_and_are_never_printed) {
    sources.file_text = "[identity]\nkey_file = \"/run/secret\"\n";
    sources.read_file = [](const std::string& path) -> std::expected<std::string, std::string> {
        if (path == "/run/secret") return "hush\n";
        return std::unexpected("cannot be read");
    };
    const auto settings = resolved();
    ASSERT_TRUE(settings.has_value()) << first_problem();
    EXPECT_EQ(settings->get(key), "hush");
    EXPECT_EQ(settings->print().find("hush"), std::string::npos);
    EXPECT_NE(settings->print().find("identity.key = \"<redacted>\"  # sluice.toml:2:12"), std::string::npos)
        << settings->print();
    sources.environment = {{"SLUICE_IDENTITY__KEY", "other"}};
    EXPECT_EQ(first_problem(), "sluice.toml:2:12: 'identity.key' is also set by environment SLUICE_IDENTITY__KEY");
    sources.environment = {{"SLUICE_IDENTITY__KEY_FILE", "/nowhere"}};
    EXPECT_EQ(first_problem(), "environment SLUICE_IDENTITY__KEY_FILE: '/nowhere': cannot be read");
}

TEST_F(ConfigSettings, a_secret_of_the_wrong_type_is_not_repeated_in_the_message) {
    sources.file_text = "[identity]\nkey = 424242\n";
    EXPECT_EQ(first_problem(), "sluice.toml:2:7: 'identity.key': expected a text in quotes, found something else");
}

TEST_F(ConfigSettings, prints_every_value_with_where_it_came_from_and_helps) {
    sources.arguments = {"--http.port=3"};
    const std::string printed = resolved()->print();
    EXPECT_NE(printed.find("http.port = 3  # flag --http.port\n"), std::string::npos) << printed;
    EXPECT_NE(printed.find("http.idle_time = \"1m\"  # default\n"), std::string::npos) << printed;
    EXPECT_NE(schema.help().find("--http.port  (default 8080; SLUICE_HTTP__PORT)\n      Port of the public listener\n"),
              std::string::npos)
        << schema.help();
}

}  // namespace
}  // namespace sluice::core::config
