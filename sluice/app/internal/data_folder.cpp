#include "sluice/app/internal/data_folder.hpp"

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fmt/format.h>

namespace sluice::app::internal {
namespace {

std::runtime_error unusable(const std::string& path, const std::string& why) {
    return std::runtime_error(fmt::format("cannot use the data folder '{}': {}; choose another folder", path, why));
}

std::string text_of(int error) {
    return std::error_code(error, std::generic_category()).message();
}

/// Who wrote the lock file last; empty if nobody did.
std::string holder_of(int lock) {
    char digits[32];
    const ssize_t length = ::pread(lock, digits, sizeof digits, 0);
    std::string holder(digits, length > 0 ? static_cast<std::size_t>(length) : 0);
    return holder.substr(0, holder.find('\n'));
}

/// Only messages need it, so a full disk is no reason not to start.
void sign(int lock) {
    const std::string holder = fmt::format("{}\n", ::getpid());
    if (::ftruncate(lock, 0) == 0) static_cast<void>(::pwrite(lock, holder.data(), holder.size(), 0) > 0);
}

}  // namespace

DataFolder::DataFolder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) throw unusable(path, error.message());
    if (!std::filesystem::is_directory(path)) throw unusable(path, "not a folder");

    const std::string file = (std::filesystem::path(path) / "sluice.lock").string();
    lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_ < 0) throw unusable(path, fmt::format("cannot write '{}': {}", file, text_of(errno)));
    if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) {
        sign(lock_);
        return;
    }
    const int failure = errno;
    const std::string holder = holder_of(lock_);
    ::close(lock_);
    if (failure != EWOULDBLOCK) throw unusable(path, fmt::format("cannot lock '{}': {}", file, text_of(failure)));
    throw std::runtime_error(
        fmt::format("cannot use the data folder '{}': process {} has it open; stop that one or choose another folder",
                    path, holder.empty() ? "another" : holder));
}

DataFolder::~DataFolder() {
    ::close(lock_);
}

}  // namespace sluice::app::internal
