// A result's column into a value, from either of PostgreSQL's formats.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "sluice/db/postgres/internal/oids.hpp"
#include "sluice/db/value.hpp"

namespace sluice::db::postgres {

/// Whether `decode_binary` reads this type: a result whose columns all are such may be asked for in binary.
[[nodiscard]] bool has_binary_codec(Oid type) noexcept;

/// Types without a kind of their own (numeric, date, enums, …) become text. A value that the kind cannot hold (an
/// infinite timestamp, a null inside an array) is refused with a reason that does not show it. `data` is outside input:
/// every malformed form is refused. Timestamps without a zone are taken as UTC.
[[nodiscard]] std::expected<Value, std::string> decode_text(Oid type, std::string_view data);
[[nodiscard]] std::expected<Value, std::string> decode_binary(Oid type, std::string_view data);

}  // namespace sluice::db::postgres
