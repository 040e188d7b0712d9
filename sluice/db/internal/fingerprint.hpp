// A statement's text fit for logs and errors: literals replaced, white space folded, length bounded.
//
//     fingerprint("select *  from t where name = 'x' and n = 3")   // "select * from t where name = ? and n = ?"
#pragma once

#include <string>
#include <string_view>

namespace sluice::db::internal {

/// Pure. String, blob and number literals become `?`, comments go, placeholders and names stay. At most 200 bytes; what
/// was cut ends in "...".
[[nodiscard]] std::string fingerprint(std::string_view sql);

}  // namespace sluice::db::internal
