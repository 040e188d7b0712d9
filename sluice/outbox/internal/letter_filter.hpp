// A DeadLetterFilter as SQL. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/db/statement.hpp"
#include "sluice/outbox/dead_letters.hpp"

namespace sluice::outbox {

[[nodiscard]] std::string_view to_string(LetterState state) noexcept;
/// Pending for a text that is none.
[[nodiscard]] LetterState letter_state(std::string_view text) noexcept;

/// What cannot be meant, by the field's name; nothing for a filter that can be asked for.
[[nodiscard]] std::optional<std::string> fault_of(const DeadLetterFilter& filter);

/// A statement that grows: text, and values whose placeholders are numbered as they come.
class SqlText {
public:
    explicit SqlText(std::string text) : text_(std::move(text)) {}

    SqlText& add(std::string_view text) {
        text_ += text;
        return *this;
    }
    /// "$n" for `value`.
    SqlText& bind(db::Value value);
    [[nodiscard]] db::Statement take() { return {std::move(text_), std::move(values_)}; }

private:
    std::string text_;
    std::vector<db::Value> values_;
};

/// " and column = …" for all that the filter gives, states apart. A text that is empty stands for none.
void add_filter(SqlText& sql, const DeadLetterFilter& filter);
/// " and state in (…)".
void add_states(SqlText& sql, std::span<const LetterState> states);
/// " and <pending, or claimed by somebody whose time is over>".
void add_claimable(SqlText& sql, db::Dialect dialect);
/// " and <in the hands of `claim`>".
void add_claimed(SqlText& sql, const std::string& claim, db::Dialect dialect);

}  // namespace sluice::outbox
