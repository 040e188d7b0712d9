#include "sluice/app/internal/data_folder.hpp"

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::app::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class DataFolderTest : public ::testing::Test {
protected:
    DataFolderTest()
        : root_(std::filesystem::temp_directory_path() / fmt::format("sluice-data-folder-{}", ::getpid())) {
        std::filesystem::create_directories(root_);
    }
    ~DataFolderTest() override { std::filesystem::remove_all(root_); }

    std::string path(const char* name) const { return (root_ / name).string(); }

private:
    std::filesystem::path root_;
};

TEST_F(DataFolderTest, missing_folders_are_made_down_to_the_last) {
    const DataFolder folder(path("a/b"));
    EXPECT_TRUE(std::filesystem::is_directory(path("a/b")));
}

TEST_F(DataFolderTest, second_holder_is_refused_and_told_which_process_has_the_folder) {
    const DataFolder first(path("data"));
    EXPECT_THAT([&] { DataFolder second(path("data")); },
                ThrowsMessage<std::runtime_error>(HasSubstr(fmt::format("process {} has it open", ::getpid()))));
}

TEST_F(DataFolderTest, folder_is_free_again_when_its_holder_is_gone) {
    {
        const DataFolder first(path("data"));
    }
    EXPECT_NO_THROW(DataFolder(path("data")));
}

TEST_F(DataFolderTest, refused_holder_leaves_the_first_its_lock) {
    const DataFolder first(path("data"));
    EXPECT_THROW(DataFolder(path("data")), std::runtime_error);
    EXPECT_THROW(DataFolder(path("data")), std::runtime_error);
}

TEST_F(DataFolderTest, file_in_place_of_the_folder_is_named) {
    std::ofstream(path("file")) << "not a folder";
    EXPECT_THAT([&] { DataFolder folder(path("file")); },
                ThrowsMessage<std::runtime_error>(HasSubstr(fmt::format("data folder '{}'", path("file")))));
}

TEST_F(DataFolderTest, lock_file_that_cannot_be_opened_is_named) {
    std::filesystem::create_directories(path("data/sluice.lock"));
    EXPECT_THAT([&] { DataFolder folder(path("data")); },
                ThrowsMessage<std::runtime_error>(HasSubstr("data/sluice.lock")));
}

}  // namespace
}  // namespace sluice::app::internal
