#include <cstdint>
#include <cstdio>
#include <string>

#include <boost/describe/class.hpp>

#include "sluice/core/json.hpp"

struct OrderPlaced {
    std::string article;
    std::int64_t quantity = 0;
};
BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (article, quantity))

int main() {
    const std::string text = sluice::core::json::encode(OrderPlaced{"A-1", 3});
    std::puts(text.c_str());
    const auto order = sluice::core::json::decode<OrderPlaced>(text);
    return order && order->quantity == 3 ? 0 : 1;
}
