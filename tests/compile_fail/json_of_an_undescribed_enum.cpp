// expect: JSON: describe this enum with BOOST_DESCRIBE_ENUM
#include <string>

#include <boost/describe/enum.hpp>

#include "sluice/core/json/encode.hpp"

enum class Colour { red, green };
#ifdef MENDED
BOOST_DESCRIBE_ENUM(Colour, red, green)
#endif

std::string text() {
    return sluice::core::json::encode(Colour::red);
}
