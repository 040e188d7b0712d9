#include "sluice/http/static_files.hpp"

#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "sluice/http/internal/target.hpp"
#include "sluice/http/problem.hpp"

namespace sluice::http {
namespace {

namespace fs = std::filesystem;

struct Asset {
    std::shared_ptr<const std::string> bytes;  // shared with the answers on their way
    std::string type;
    std::string etag;
    bool immutable = false;
};

struct Site {
    std::map<std::string, Asset, std::less<>> assets;  // by decoded path, "/index.html"
    StaticSettings settings;
};

constexpr std::array kTypes = std::to_array<std::pair<std::string_view, std::string_view>>({
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
});

std::string type_of(const fs::path& file) {
    const std::string extension = file.extension().string();
    for (const auto& [known, type] : kTypes)
        if (extension == known) return std::string(type);
    return "application/octet-stream";
}

// FNV-1a: tells versions of a file apart, which is all that a cache asks.
std::string etag_of(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : bytes)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return fmt::format("\"{:016x}-{:x}\"", hash, bytes.size());
}

std::string read_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    if (in && in.peek() != std::ifstream::traits_type::eof()) text << in.rdbuf();
    if (!in.is_open() || in.bad() || text.bad()) throw std::runtime_error(fmt::format("cannot read {}", file.string()));
    return std::move(text).str();
}

bool is_within(const fs::path& folder, const fs::path& file) {
    const fs::path relative = fs::canonical(file).lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

bool is_hidden(const fs::path& relative) {
    for (const fs::path& part : relative)
        if (part.string().starts_with('.')) return true;
    return false;
}

std::shared_ptr<const Site> load(const fs::path& given, StaticSettings settings) {
    std::error_code error;
    const fs::path folder = fs::canonical(given, error);
    if (error || !fs::is_directory(folder))
        throw std::runtime_error(fmt::format("static files: '{}' is no folder that can be read", given.string()));
    auto site = std::make_shared<Site>();
    site->settings = std::move(settings);
    std::size_t total = 0;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
        const fs::path relative = entry.path().lexically_relative(folder);
        if (!entry.is_regular_file() || is_hidden(relative) || !is_within(folder, entry.path())) continue;
        total += entry.file_size();
        if (site->assets.size() >= site->settings.max_files || total > site->settings.max_bytes)
            throw std::runtime_error(fmt::format("static files: '{}' holds more than {} files or {} bytes",
                                                 given.string(), site->settings.max_files, site->settings.max_bytes));
        std::string path = "/" + relative.generic_string();
        auto bytes = std::make_shared<const std::string>(read_file(entry.path()));
        Asset asset{bytes, type_of(relative), etag_of(*bytes), path.starts_with(site->settings.immutable_prefix)};
        site->assets.emplace(std::move(path), std::move(asset));
    }
    return site;
}

// RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`.
bool holds_tag(std::string_view list, std::string_view etag) {
    while (!list.empty()) {
        const auto comma = std::min(list.find(','), list.size());
        std::string_view tag = list.substr(0, comma);
        list.remove_prefix(std::min(comma + 1, list.size()));
        while (tag.starts_with(' ') || tag.starts_with('\t'))
            tag.remove_prefix(1);
        while (tag.ends_with(' ') || tag.ends_with('\t'))
            tag.remove_suffix(1);
        if (tag.starts_with("W/")) tag.remove_prefix(2);
        if (tag == "*" || tag == etag) return true;
    }
    return false;
}

void protect(Response& response, const Site& site) {
    response.headers.add("X-Content-Type-Options", "nosniff");
    response.headers.add("Referrer-Policy", "same-origin");
    response.headers.add("Content-Security-Policy", site.settings.content_security_policy);
}

Response serve(const Site& site, const RequestContext& context, const Asset& asset) {
    const auto known = context.request.headers.find("If-None-Match");
    Response response = Response::empty(known && holds_tag(*known, asset.etag) ? 304 : 200);
    response.headers.add("ETag", asset.etag);
    response.headers.add("Cache-Control", asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (response.status == 200) {
        response.headers.add("Content-Type", asset.type);
        response.shared_body = asset.bytes;
    }
    protect(response, site);
    return response;
}

Response find(const Site& site, const RequestContext& context) {
    const std::string path = internal::percent_decode(context.request.path);
    const std::string wanted = path.ends_with('/') ? path + "index.html" : path;
    if (const auto asset = site.assets.find(wanted); asset != site.assets.end())
        return serve(site, context, asset->second);
    if (!path.ends_with('/') && site.assets.contains(path + "/index.html")) {
        Response moved = Response::empty(308);
        moved.headers.add("Location", context.request.path + "/");
        return moved;
    }
    Response missing = problem(
        context, 404, fmt::format("there is nothing at {}; the documentation lists the routes", context.request.path));
    protect(missing, site);
    return missing;
}

runtime::Task<Response> answer(std::shared_ptr<const Site> site, RequestContext& context) {
    co_return find(*site, context);
}

}  // namespace

Handler static_files(const fs::path& folder, StaticSettings settings) {
    return [site = load(folder, std::move(settings))](RequestContext& context) { return answer(site, context); };
}

}  // namespace sluice::http
