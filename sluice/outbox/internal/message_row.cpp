#include "sluice/outbox/internal/message_row.hpp"

#include <limits>

#include "sluice/core/json.hpp"
#include "sluice/outbox/internal/limits.hpp"

namespace sluice::outbox {
namespace {

struct AsString {
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(const db::Bytes& bytes) const { return std::string(db::as_text(bytes)); }
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    template <class Other>
    std::string operator()(const Other&) const {
        return {};
    }
};

Headers read_headers(const db::Value& value) {
    if (value.is_null()) return {};
    const std::string text = as_string(value);
    auto headers = core::json::decode<Headers>(text);
    if (headers) return std::move(*headers);
    return {{std::string(kMalformedHeader), text}};
}

}  // namespace

std::int32_t queue_number(const db::Value& value) {
    const auto* const number = std::get_if<std::int64_t>(&value.variant());
    const bool fits = number != nullptr && *number > 0 && *number <= std::numeric_limits<std::int32_t>::max();
    return fits ? static_cast<std::int32_t>(*number) : 0;
}

std::string as_string(const db::Value& value) {
    return std::visit(AsString{}, value.variant());
}

Content read_content(const db::Row& row, std::size_t first) {
    Content content;
    content.queue = queue_number(row.at(first + 1));
    Message& message = content.message;
    message.id = core::MessageId(row.get<std::int64_t>(first));
    message.key = as_string(row.at(first + 2));
    message.type = as_string(row.at(first + 3));
    message.tenant = as_string(row.at(first + 4));
    message.trace = unpack_trace(as_string(row.at(first + 5)));
    message.headers = read_headers(row.at(first + 6));
    message.payload = as_string(row.at(first + 7));
    message.created_at = db::Timestamp(std::chrono::microseconds(row.get<std::int64_t>(first + 8)));
    return content;
}

}  // namespace sluice::outbox
