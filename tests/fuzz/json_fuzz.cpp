// Whatever our JSON parser takes, Boost.JSON takes too, and writing it and reading it again changes nothing.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/parse.hpp>

#include "sluice/core/assert.hpp"
#include "sluice/core/json/node.hpp"

namespace json = sluice::core::json;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto document = json::parse(text);
    if (!document) {
        SLUICE_ASSERT(!document.error().message.empty(), "refused without a reason");
        return 0;
    }
    boost::json::error_code refused;
    boost::json::parse_options options;
    options.max_depth = 1'000;
    boost::json::parse({text.data(), text.size()}, refused, {}, options);
    SLUICE_ASSERT(!refused, "Boost.JSON refuses what we take: {}", refused.message());

    const std::string written = document->root().text();
    const auto again = json::parse(written);
    SLUICE_ASSERT(again.has_value(), "our own text is refused: {}", written);
    SLUICE_ASSERT(again->root().equals(document->root()), "another value came back: {}", written);
    SLUICE_ASSERT(again->root().text() == written, "not canonical: {}", written);
    return 0;
}
