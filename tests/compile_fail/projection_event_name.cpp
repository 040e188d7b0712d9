// expect: 'event_name' must be a std::string_view
#include <string>
#include <string_view>

#include "sluice/projection/contract.hpp"

struct Seen {
    using Event = std::string;
    using State = std::string;
    static constexpr std::string_view name = "seen";
#ifdef MENDED
    static constexpr std::string_view event_name = "sight";
#else
    static constexpr std::string_view event_name = "a sight";
#endif
    static constexpr int state_version = 1;
    std::string key(const Event&) const;
    void apply(State&, const Event&) const;
};
static_assert(sluice::projection::internal::Contract<Seen>::holds);
