// The folder of the tenants' files, which one process at a time may serve.
#pragma once

#include <string>

namespace sluice::app::internal {

/// Makes the folder if it is missing and keeps it for this process while the object lives: a second process would take
/// messages from the outboxes, and the screens connected to the first would wait for ever without a word. The lock is
/// the kernel's and ends with the process, however that ends; the file `sluice.lock` only says whose it is.
class DataFolder {
public:
    /// Throws std::runtime_error that says why the folder cannot be used and what to do.
    explicit DataFolder(const std::string& path);
    ~DataFolder();
    DataFolder(const DataFolder&) = delete;
    DataFolder& operator=(const DataFolder&) = delete;

private:
    int lock_ = -1;
};

}  // namespace sluice::app::internal
