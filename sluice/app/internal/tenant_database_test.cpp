#include "sluice/app/internal/tenant_database.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

#include "sluice/db/error.hpp"

namespace sluice::app::internal {
namespace {

tenant::TenantId shop_a() {
    return tenant::TenantId::parse("shop_a").value();
}

Settings on(std::string url) {
    Settings settings;
    settings.data_dir = "data";
    settings.database_url = std::move(url);
    return settings;
}

TEST(TenantDatabase, place_names_the_file_or_the_database_and_no_credential) {
    EXPECT_EQ(place_of(on(""), shop_a()), "file data/shop_a.sqlite3");
    EXPECT_EQ(place_of(on("postgres://app:secret@db.example:5432/{tenant}"), shop_a()),
              "database db.example:5432/shop_a");
    EXPECT_EQ(place_of(on("postgres://db.example/x_{tenant}?password=secret@x"), shop_a()),
              "database db.example/x_shop_a");
    EXPECT_EQ(place_of(on("postgres://app:sec@ret@db.example/{tenant}"), shop_a()), "database db.example/shop_a");
    EXPECT_EQ(place_of(on("mariadb://app:secret@db.example:3306/{tenant}?sslmode=require"), shop_a()),
              "database db.example:3306/shop_a");
    EXPECT_EQ(place_of(on("secret"), shop_a()), "database of the database URL");
}

TEST(TenantDatabase, one_database_for_several_tenants_is_refused) {
    EXPECT_THROW(check_databases(on("postgres://db.example/shops"), 2), std::runtime_error);
    EXPECT_NO_THROW(check_databases(on("postgres://db.example/shops"), 1));
    EXPECT_NO_THROW(check_databases(on("postgres://db.example/{tenant}"), 2));
    EXPECT_THROW(check_databases(on("mariadb://db.example/shops"), 2), std::runtime_error);
    EXPECT_NO_THROW(check_databases(on("mariadb://db.example/{tenant}"), 2));
    EXPECT_NO_THROW(check_databases(on(""), 2));
}

TEST(TenantDatabase, url_of_an_unknown_kind_is_a_config_error_without_the_url) {
    core::Metrics metrics;
    try {
        static_cast<void>(open_database(on("oracle://app:secret@db.example/{tenant}"), shop_a(), {}, metrics));
        FAIL() << "it was opened";
    } catch (const db::Error& error) {
        EXPECT_EQ(error.kind(), db::ErrorKind::config);
        EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
}

TEST(TenantDatabase, advice_says_what_a_person_may_do) {
    const auto failure = [](db::ErrorKind kind, std::string code) {
        return std::make_exception_ptr(db::Error(kind, {"shop_a", std::move(code), "", ""}));
    };
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::config, "3D000")).contains("create it"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::config, "1049")).contains("create it, or"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::permission, "1044")).contains("create it and grant it"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::permission, "42501")).contains("make and change tables"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::permission, "1142")).contains("make and change tables"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::permission, "28P01")).contains("user and password"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::permission, "1045")).contains("user and password"));
    EXPECT_TRUE(advice_for(failure(db::ErrorKind::connection, "")).contains("server running"));
    EXPECT_EQ(advice_for(failure(db::ErrorKind::query, "42601")), "");
    EXPECT_EQ(advice_for(std::make_exception_ptr(std::runtime_error("x"))), "");
}

}  // namespace
}  // namespace sluice::app::internal
