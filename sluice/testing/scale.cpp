#include "sluice/testing/scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_TESTING_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_TESTING_SANITIZED 1
#endif

namespace sluice::testing {
namespace {

#ifdef SLUICE_TESTING_SANITIZED
constexpr double kOfThisBuild = 0.1;
#else
constexpr double kOfThisBuild = 1.0;
#endif

}  // namespace

double scale_of(std::string_view text) {
    if (text.empty() || text == "small") return 1.0;
    if (text == "full") return 10.0;
    const std::string terminated(text);
    char* end = nullptr;
    const double value = std::strtod(terminated.c_str(), &end);
    if (*end != '\0' || !std::isfinite(value) || value <= 0)
        throw std::runtime_error("SLUICE_TEST_SCALE is '" + terminated +
                                 "'; it may be small, full or a number above 0");
    return value;
}

int scaled(int count) {
    const char* const given = std::getenv("SLUICE_TEST_SCALE");
    const double factor = scale_of(given == nullptr ? "" : given) * kOfThisBuild;
    return std::max(1, static_cast<int>(count * factor));
}

}  // namespace sluice::testing
