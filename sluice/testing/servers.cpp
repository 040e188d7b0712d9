#include "sluice/testing/servers.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace sluice::testing {

std::string server_address(const std::string& name) {
    const char* const path = std::getenv("SLUICE_TEST_SERVERS");
    std::ifstream file(path == nullptr ? "" : path);
    for (std::string key, value; file >> key >> value;)
        if (key == name) return value;
    throw std::runtime_error("no server '" + name + "' is running: ctest starts it, and so does `tools/servers run " +
                             name.substr(0, name.find('.')) + " -- PROGRAM`");
}

}  // namespace sluice::testing
