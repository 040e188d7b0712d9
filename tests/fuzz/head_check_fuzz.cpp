// The verdict on a request's head does not depend on how it came in pieces, and a complete head ends where it says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sluice/core/assert.hpp"
#include "sluice/http/head_check.hpp"

using sluice::http::check_head;
using sluice::http::HeadLimits;
using sluice::http::HeadState;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const HeadLimits limits{.request_line = 256, .total = 1024, .fields = 8};
    const auto whole = check_head(bytes, limits);
    if (whole.state == HeadState::complete) {
        SLUICE_ASSERT(whole.length <= size && whole.length <= limits.total, "a head of {} in {} bytes", whole.length,
                      size);
        SLUICE_ASSERT(bytes.substr(0, whole.length).ends_with("\r\n\r\n"), "a head that does not end");
        const auto alone = check_head(bytes.substr(0, whole.length), limits);
        SLUICE_ASSERT(alone.state == HeadState::complete && alone.length == whole.length,
                      "what follows changed the verdict");
    }
    if (whole.state == HeadState::refused)
        SLUICE_ASSERT(whole.status >= 400 && !whole.reason.empty(), "refused without a reason");

    const std::size_t cut = size == 0 ? 0 : data[0] % size;
    const auto before = check_head(bytes.substr(0, cut), limits);
    if (before.state == HeadState::complete)
        SLUICE_ASSERT(whole.state == HeadState::complete && whole.length == before.length, "complete at {}, then not",
                      cut);
    if (before.state == HeadState::refused)
        SLUICE_ASSERT(whole.state == HeadState::refused, "refused at {}, then not", cut);
    if (before.state == HeadState::incomplete && whole.state != HeadState::incomplete)
        SLUICE_ASSERT(sluice::http::may_decide(bytes, size - cut, limits),
                      "the fresh bytes decided, but need no check");
    return 0;
}
