#include "tests/servers/own_server.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace sluice::servers {
namespace {

std::string next_folder() {
    static std::atomic<int> made{0};
    const std::string name = fmt::format("sluice_own_{}_{}", ::getpid(), ++made);
    return (std::filesystem::temp_directory_path() / name).string();
}

void run(const std::string& words) {
    const std::string command = "tools/servers " + words;
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

}  // namespace

OwnServer::OwnServer(std::string kind, Disk disk) : kind_(std::move(kind)), folder_(next_folder()) {
    // The shell between ends at once, so the owner is named.
    run(fmt::format("start {} --dir {} --owner {}{}", kind_, folder_, ::getpid(),
                    disk == Disk::waited_for ? " --durable" : ""));
}

OwnServer::~OwnServer() {
    static_cast<void>(std::system(fmt::format("tools/servers stop --dir {}", folder_).c_str()));
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

void OwnServer::tell(const std::string& order) const {
    run(fmt::format("tell {} {} --dir {}", order, kind_, folder_));
}

std::string OwnServer::address(const std::string& name) const {
    std::ifstream file(folder_ + "/servers.txt");
    for (std::string key, value; file >> key >> value;) {
        if (key == name) return value;
    }
    throw std::runtime_error(fmt::format("the server has no address {}", name));
}

}  // namespace sluice::servers
