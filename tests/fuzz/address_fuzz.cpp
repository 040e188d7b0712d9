// A channel has one spelling: what is parsed is written as it was, and its segments make the same channel.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/assert.hpp"
#include "sluice/realtime/address.hpp"

namespace realtime = sluice::realtime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto tenant = *sluice::tenant::TenantId::parse("shop_a");
    const std::string_view wire(reinterpret_cast<const char*>(data), size);
    const auto address = realtime::parse_channel(tenant, wire);
    if (!address) {
        SLUICE_ASSERT(!realtime::to_string(address.error()).empty(), "refused without a reason");
        return 0;
    }
    SLUICE_ASSERT(realtime::format_channel(*address) == wire, "written as {}", realtime::format_channel(*address));
    const std::vector<std::string> segments = realtime::segments_of(*address);
    const auto again =
        realtime::make_channel(tenant, address->ns, std::vector<std::string_view>(segments.begin(), segments.end()));
    SLUICE_ASSERT(again && *again == *address, "other segments came back");
    return 0;
}
