// expect: 'name' must be 1-128 of
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "sluice/projection/contract.hpp"

struct Received {
    std::string article;
};

struct StockLevel {
    using Event = std::variant<Received>;
    struct State {
        std::int64_t on_hand = 0;
    };
    struct Delta {
        std::int64_t on_hand = 0;
    };
#ifdef MENDED
    static constexpr std::string_view name = "stock_level";
#else
    static constexpr std::string_view name =
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "01234567890123456789012345678901234567890123456789012345678";
#endif
    static constexpr int state_version = 1;
    std::string key(const std::variant<Received>&) const;
    Delta apply(State&, const std::variant<Received>&) const;
};
static_assert(sluice::projection::internal::Contract<StockLevel>::holds);
