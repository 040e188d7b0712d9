// A message from a row of `sluice_message` or of one of the tables that keep copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/db/row.hpp"
#include "sluice/outbox/message.hpp"

namespace sluice::outbox {

/// The columns that `read_content` expects from `first` on: the id, then sql::kContent.
struct Content {
    std::int32_t queue = 0;
    Message message;  ///< without queue name, lane, numbers and attempts
};

/// Takes whatever a producer in another language may have written: a payload of any type becomes its text, headers that
/// are no JSON object of strings become one header that holds the text.
[[nodiscard]] Content read_content(const db::Row& row, std::size_t first);

/// 0, which no queue has, for anything that is not a queue's number.
[[nodiscard]] std::int32_t queue_number(const db::Value& value);

/// Text, bytes or a number as a string; null as an empty one.
[[nodiscard]] std::string as_string(const db::Value& value);

}  // namespace sluice::outbox
