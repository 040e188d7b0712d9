// expect: that returns 'Delta' or Verdict<Delta>
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
#ifdef MENDED
    struct Delta {
        std::int64_t on_hand = 0;
    };
#endif
    static constexpr std::string_view name = "stock_level";
    static constexpr int state_version = 1;
    std::string key(const std::variant<Received>&) const;
#ifdef MENDED
    Delta apply(State&, const std::variant<Received>&) const;
#else
    std::int64_t apply(State&, const std::variant<Received>&) const;
#endif
};
static_assert(sluice::projection::internal::Contract<StockLevel>::holds);
