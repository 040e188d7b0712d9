#include "sluice/http/static_files.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/runtime/outside.hpp"

namespace sluice::http {
namespace {

namespace fs = std::filesystem;

class StaticFiles : public ::testing::Test {
protected:
    void SetUp() override {
        fs::remove_all(root);
        write("site/index.html", "<h1>hi</h1>");
        write("site/sub/index.html", "sub");
        write("site/assets/app-1a2b3c4d.js", "js");
        write("site/caf\xC3\xA9.txt", "coffee");
        write("site/empty.css", "");
        write("site/.env", "secret");
        write("site/.git/config", "secret");
        write("secret.txt", "secret");
        fs::create_symlink(root / "secret.txt", root / "site/link.txt");
        fs::create_directory_symlink(root, root / "site/up");
        fs::create_symlink(root / "site/index.html", root / "site/inside.html");
        shards.start();
    }
    void TearDown() override {
        shards.stop();
        fs::remove_all(root);
    }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((root / name).parent_path());
        std::ofstream(root / name) << text;
    }

    Response get(const std::string& path, Headers headers = {}) {
        RequestContext context;
        context.request.method = "GET";
        context.request.path = path;
        context.request.headers = std::move(headers);
        const Handler handler = static_files(root / "site");
        return runtime::block_on(shards.at(0), handler(context));
    }

    fs::path root = fs::path(::testing::TempDir()) / "sluice_static_files";
    runtime::ShardGroup shards{1};
};

TEST_F(StaticFiles, answers_files_with_their_type_and_protection) {
    const Response page = get("/");
    EXPECT_EQ(page.status, 200U);
    EXPECT_EQ(page.bytes(), "<h1>hi</h1>");
    EXPECT_EQ(page.headers.find("Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(page.headers.find("Cache-Control"), "no-cache");
    EXPECT_EQ(page.headers.find("X-Content-Type-Options"), "nosniff");
    EXPECT_TRUE(page.headers.find("Content-Security-Policy")->starts_with("default-src 'self'"));
    EXPECT_EQ(get("/assets/app-1a2b3c4d.js").headers.find("Cache-Control"), "public, max-age=31536000, immutable");
    EXPECT_EQ(get("/caf%C3%A9.txt").bytes(), "coffee");
    EXPECT_EQ(get("/empty.css").status, 200U);
    EXPECT_EQ(get("/inside.html").bytes(), "<h1>hi</h1>");
}

TEST_F(StaticFiles, a_folder_answers_its_index) {
    EXPECT_EQ(get("/sub/").bytes(), "sub");
    EXPECT_EQ(get("/sub").status, 308U);
    EXPECT_EQ(get("/sub").headers.find("Location"), "/sub/");
    EXPECT_EQ(get("/assets/").status, 404U);
}

TEST_F(StaticFiles, a_known_version_is_not_sent_again) {
    const std::string etag(*get("/").headers.find("ETag"));
    for (const std::string& list : {etag, "W/" + etag, "\"x\", " + etag, std::string("*")}) {
        const Response known = get("/", {{"If-None-Match", list}});
        EXPECT_EQ(known.status, 304U) << list;
        EXPECT_EQ(known.bytes(), "") << list;
        EXPECT_EQ(known.headers.find("ETag"), etag) << list;
    }
    EXPECT_EQ(get("/", {{"If-None-Match", "\"x\""}}).status, 200U);
    EXPECT_NE(*get("/sub/").headers.find("ETag"), etag);
}

TEST_F(StaticFiles, no_path_leads_out_of_the_folder) {
    const std::vector<std::string> paths = {"/../secret.txt",
                                            "/%2e%2e/secret.txt",
                                            "/..%2fsecret.txt",
                                            "/%2e%2e%2fsecret.txt",
                                            "/sub/../../secret.txt",
                                            "//secret.txt",
                                            "/..;/secret.txt",
                                            "/%252e%252e/secret.txt",
                                            "/..%5csecret.txt",
                                            "/link.txt",
                                            "/up/secret.txt",
                                            "/up/",
                                            "/.env",
                                            "/.git/config",
                                            "/%2eenv",
                                            "/site/../../secret.txt",
                                            (root / "secret.txt").string(),
                                            "/index.html/",
                                            "/index.html/..",
                                            "/./index.html",
                                            "/sub/../index.html"};
    for (const std::string& path : paths) {
        const Response response = get(path);
        EXPECT_EQ(response.status, 404U) << path;
        EXPECT_EQ(response.bytes().find("secret\n"), std::string_view::npos) << path;
    }
}

TEST_F(StaticFiles, what_cannot_be_served_stops_the_start) {
    EXPECT_THROW((void)static_files(root / "nowhere"), std::runtime_error);
    EXPECT_THROW((void)static_files(root / "secret.txt"), std::runtime_error);
    StaticSettings few;
    few.max_files = 2;
    EXPECT_THROW((void)static_files(root / "site", few), std::runtime_error);
    StaticSettings small;
    small.max_bytes = 10;
    EXPECT_THROW((void)static_files(root / "site", small), std::runtime_error);
}

}  // namespace
}  // namespace sluice::http
