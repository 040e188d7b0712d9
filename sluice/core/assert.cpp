#include "sluice/core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice::core {

void assertion_failed(const char* condition, const std::string& text, std::source_location where) {
    fmt::print(stderr, "{}:{}: assertion failed: {}: {}\n", where.file_name(), where.line(), condition, text);
    std::fflush(stderr);
    std::abort();
}

}  // namespace sluice::core
