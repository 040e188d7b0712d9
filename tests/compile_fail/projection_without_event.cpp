// expect: has no member type 'Event'
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "sluice/projection/contract.hpp"

struct Received {
    std::string article;
};

struct StockLevel {
#ifdef MENDED
    using Event = std::variant<Received>;
#endif
    struct State {
        std::int64_t on_hand = 0;
    };
    struct Delta {
        std::int64_t on_hand = 0;
    };
    static constexpr std::string_view name = "stock_level";
    static constexpr int state_version = 1;
    std::string key(const std::variant<Received>&) const;
    Delta apply(State&, const std::variant<Received>&) const;
};
static_assert(sluice::projection::internal::Contract<StockLevel>::holds);
