// A folder of files as answers, for the built web page.
//
//     router.fallback(http::static_files("web/dist"));
//
// The folder is read once: what was not in it cannot be asked for, so no path leads out of it, however it is written.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "sluice/http/router.hpp"

namespace sluice::http {

struct StaticSettings {
    std::size_t max_files = 10'000;
    std::size_t max_bytes = 64 * 1024 * 1024;  ///< of all files together; they stay in memory
    /// Files under this path carry a hash of their content in their name and are cached for a year.
    std::string immutable_prefix = "/assets/";
    std::string content_security_policy =
        "default-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
};

/// A handler for GET and HEAD. `/a/` answers `a/index.html`, `/a` the same after a redirect. Answers carry a strong
/// ETag and obey If-None-Match. Symbolic links that lead out of the folder and names that begin with '.' are left out.
/// Throws std::runtime_error naming the folder if it cannot be read or is beyond the limits. The handler may run on any
/// shard.
[[nodiscard]] Handler static_files(const std::filesystem::path& folder, StaticSettings settings = {});

}  // namespace sluice::http
