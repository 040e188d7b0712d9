// A folder for one test's files. Only tests include this.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "sluice/core/assert.hpp"

namespace sluice::db::internal {

/// Made empty, removed with everything in it.
class TempFolder {
public:
    TempFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "sluice_db_XXXXXX").string();
        SLUICE_ASSERT(mkdtemp(pattern.data()) != nullptr, "cannot make {}", pattern);
        path_ = pattern;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

}  // namespace sluice::db::internal
