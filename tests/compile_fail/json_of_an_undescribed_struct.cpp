// expect: JSON: .*BOOST_DESCRIBE_STRUCT
#include <string>

#include <boost/describe/class.hpp>

#include "sluice/core/json/encode.hpp"

struct OrderPlaced {
    std::string article;
};
#ifdef MENDED
BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (article))
#endif

std::string text() {
    return sluice::core::json::encode(OrderPlaced{"A-1"});
}
