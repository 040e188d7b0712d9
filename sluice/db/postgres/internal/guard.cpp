#include "sluice/db/postgres/internal/guard.hpp"

#include <algorithm>
#include <array>

#include "sluice/db/internal/first_words.hpp"

namespace sluice::db::postgres {

using db::internal::FirstWords;

std::optional<std::string> unit_refusal(std::string_view sql) {
    constexpr std::array<std::string_view, 5> kEnders{"BEGIN", "START", "COMMIT", "END", "ABORT"};
    FirstWords words(sql);
    const std::string first = words.next();
    if (std::ranges::find(kEnders, first) != kEnders.end()) {
        return first + " inside a unit of work: it begins and ends by itself; use savepoint() to nest";
    }
    if (first == "PREPARE" && words.next() == "TRANSACTION") return "a unit of work cannot be prepared for two phases";
    if (first != "ROLLBACK") return std::nullopt;
    std::string second = words.next();
    if (second == "WORK" || second == "TRANSACTION") second = words.next();
    if (second == "TO") return std::nullopt;
    return "ROLLBACK inside a unit of work: throw to roll it back, or use savepoint()";
}

}  // namespace sluice::db::postgres
