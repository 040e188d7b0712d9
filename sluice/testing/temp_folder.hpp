// A folder for one test, removed with everything in it at the end of the scope.
//
//     testing::TempFolder folder;
//     open(folder.file("shop.sqlite3"));
#pragma once

#include <filesystem>
#include <string>

namespace sluice::testing {

/// Made under the system's temporary folder; throws std::runtime_error if that is impossible.
class TempFolder {
public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

}  // namespace sluice::testing
