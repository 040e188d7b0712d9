#include <algorithm>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>

#include "sluice/core/json/internal/builder.hpp"
#include "sluice/core/json/node.hpp"

namespace sluice::core::json {
namespace {

using boost::json::error_code;
using boost::json::string_view;

// Turns the parser's events into calls of the builder. The names are those that basic_parser asks for.
class TreeHandler {
public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

    TreeHandler(const Limits& limits, std::size_t bytes) : builder(limits, bytes) {}

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return builder.begin(Kind::object); }
    bool on_object_end(std::size_t n, error_code& ec) { return check(builder.end(n), ec); }
    bool on_array_begin(error_code&) { return builder.begin(Kind::array); }
    bool on_array_end(std::size_t n, error_code& ec) { return check(builder.end(n), ec); }
    bool on_key_part(string_view part, std::size_t, error_code&) { return add(part); }
    bool on_key(string_view part, std::size_t, error_code&) {
        add(part);
        builder.name_end();
        return true;
    }
    bool on_string_part(string_view part, std::size_t, error_code&) { return add(part); }
    bool on_string(string_view part, std::size_t, error_code&) {
        add(part);
        return builder.string_end();
    }
    bool on_number_part(string_view part, error_code&) { return add(part); }
    bool on_int64(std::int64_t, string_view part, error_code& ec) { return number(part, ec); }
    bool on_uint64(std::uint64_t, string_view part, error_code& ec) { return number(part, ec); }
    bool on_double(double, string_view part, error_code& ec) { return number(part, ec); }
    bool on_bool(bool truth, error_code&) { return builder.boolean(truth); }
    bool on_null(error_code&) { return builder.null(); }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }

    TreeBuilder builder;

private:
    bool add(string_view part) {
        builder.text_part(std::string_view(part.data(), part.size()));
        return true;
    }
    bool number(string_view part, error_code& ec) {
        add(part);
        return check(builder.number_end(), ec);
    }
    static bool check(bool go_on, error_code& ec) {
        if (!go_on) ec = boost::json::error::exception;  // any code: the builder keeps the reason
        return go_on;
    }
};

std::string position_in(std::string_view text, std::size_t at) {
    const std::string_view before = text.substr(0, at);
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
    return fmt::format("line {} column {}", line, at - line_begin + 1);
}

std::string reason_of(const error_code& ec) {
    using boost::json::error;
    if (ec == error::incomplete) return "the text ends too early";
    if (ec == error::extra_data) return "there is more behind the value";
    if (ec == error::too_deep) return "arrays and objects are nested too deep";
    return ec.message();
}

}  // namespace

std::expected<Document, DecodeError> parse(std::string_view text, const Limits& limits) {
    const std::size_t most = std::min<std::size_t>(limits.bytes, std::numeric_limits<std::uint32_t>::max());
    if (text.size() > most)
        return std::unexpected(DecodeError{"$", fmt::format("{} bytes, more than {} allowed", text.size(), most)});
    boost::json::parse_options options;
    options.max_depth = limits.depth;
    boost::json::basic_parser<TreeHandler> parser(options, limits, text.size());
    error_code ec;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
    if (!ec && used < text.size()) ec = boost::json::error::extra_data;
    TreeBuilder& builder = parser.handler().builder;
    if (!ec) return Document(builder.take());
    if (builder.error()) return std::unexpected(*builder.error());
    return std::unexpected(
        DecodeError{builder.path(), fmt::format("invalid JSON at {}: {}", position_in(text, used), reason_of(ec))});
}

}  // namespace sluice::core::json
