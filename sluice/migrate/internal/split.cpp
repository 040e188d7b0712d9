#include "sluice/migrate/internal/split.hpp"

#include <algorithm>
#include <optional>

#include "sluice/migrate/internal/words.hpp"

namespace sluice::migrate::internal {
namespace {

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

bool is_word(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           byte == '_' || byte >= 0x80;
}

bool same_word(std::string_view word, std::string_view upper) {
    return std::ranges::equal(word, upper,
                              [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; });
}

/// Follows one statement's words to tell where a trigger's body ends: at `; END ;`, as sqlite3_complete has it.
class Ending {
public:
    void word(std::string_view text) {
        if (head_ == Head::nothing)
            head_ = same_word(text, "CREATE") ? Head::create : Head::plain;
        else if (head_ == Head::create)
            follow_create(text);
        tail_ = tail_ == Tail::semicolon && same_word(text, "END") ? Tail::end : Tail::other;
    }
    void other() {
        if (head_ != Head::trigger) head_ = Head::plain;
        tail_ = Tail::other;
    }
    /// Whether this semicolon ends the statement.
    bool semicolon() {
        if (head_ != Head::trigger || tail_ == Tail::end) return true;
        tail_ = Tail::semicolon;
        return false;
    }
    [[nodiscard]] bool open_body() const { return head_ == Head::trigger && tail_ != Tail::end; }

private:
    enum class Head { nothing, create, trigger, plain };
    enum class Tail { other, semicolon, end };

    void follow_create(std::string_view text) {
        if (same_word(text, "TRIGGER"))
            head_ = Head::trigger;
        else if (!same_word(text, "TEMP") && !same_word(text, "TEMPORARY") && !same_word(text, "OR") &&
                 !same_word(text, "REPLACE"))
            head_ = Head::plain;
    }

    Head head_ = Head::nothing;
    Tail tail_ = Tail::other;
};

class Splitter {
public:
    Splitter(std::string_view sql, db::Dialect dialect) : sql_(sql), dialect_(dialect) {}

    std::expected<std::vector<std::string>, SplitError> run() {
        while (at_ < sql_.size() && !error_)
            step();
        if (begun_ && !error_) {
            if (ending_.open_body() && dialect_ != db::Dialect::postgres && delimiter_ == ";")
                fail(*begun_, "a trigger without END;");
            finish();
        }
        if (error_) return std::unexpected(std::move(*error_));
        return std::move(statements_);
    }

private:
    void step() {
        if (is_space(sql_[at_])) {
            ++at_;
            return;
        }
        if (skip_comment()) return;
        if (!begun_ && take_delimiter()) return;
        if (!begun_) {
            begun_ = at_;
            ending_ = Ending();
        }
        token();
        last_end_ = at_;
    }

    void token() {
        const char c = sql_[at_];
        if (delimiter_ != ";" && sql_.substr(at_).starts_with(delimiter_)) {
            finish();
            at_ += delimiter_.size();
        } else if (c == ';' && delimiter_ == ";") {
            // PostgreSQL has no bodies outside of quotes.
            const bool ends = ending_.semicolon() || dialect_ == db::Dialect::postgres;
            if (ends) finish();
            ++at_;
        } else if (c == '\'' || c == '"' || c == '`' || (c == '[' && dialect_ == db::Dialect::sqlite)) {
            skip_quoted(c == '[' ? ']' : c);
            ending_.other();
        } else if (c == '$' && dialect_ == db::Dialect::postgres && skip_dollar_quoted()) {
            ending_.other();
        } else if (is_word(c)) {
            const std::size_t from = at_;
            while (at_ < sql_.size() && is_word(sql_[at_]))
                ++at_;
            ending_.word(sql_.substr(from, at_ - from));
        } else {
            ++at_;
            ending_.other();
        }
    }

    /// MariaDB's clients end statements as the last line `DELIMITER //` says, so that bodies may hold semicolons.
    bool take_delimiter() {
        constexpr std::string_view kWord = "DELIMITER";
        const std::string_view line = sql_.substr(at_, sql_.find('\n', at_) - at_);
        if (dialect_ != db::Dialect::mariadb || !same_word(line.substr(0, kWord.size()), kWord)) return false;
        if (line.size() > kWord.size() && !is_space(line[kWord.size()])) return false;
        const std::size_t from = line.find_first_not_of(" \t\r", kWord.size());
        if (from == std::string_view::npos)
            fail(at_, "DELIMITER without one");
        else
            delimiter_ = line.substr(from, line.find_last_not_of(" \t\r") + 1 - from);
        at_ += line.size();
        return true;
    }

    bool skip_comment() {
        const std::string_view rest = sql_.substr(at_);
        if (is_line_comment(rest, dialect_)) {
            at_ = std::min(sql_.find('\n', at_), sql_.size());
            return true;
        }
        if (!rest.starts_with("/*") || is_executable_comment(rest, dialect_)) return false;
        const std::size_t end = sql_.find("*/", at_ + 2);
        if (end == std::string_view::npos) fail(at_, "a comment without */");
        at_ = end == std::string_view::npos ? sql_.size() : end + 2;
        return true;
    }

    // A doubled quote reads as the end of one string and the begin of the next, which comes to the same. A backslash is
    // a character on every database: the MariaDB driver sets NO_BACKSLASH_ESCAPES.
    void skip_quoted(char quote) {
        const std::size_t from = at_++;
        while (at_ < sql_.size() && sql_[at_] != quote)
            ++at_;
        if (at_ >= sql_.size()) {
            at_ = sql_.size();
            fail(from, "a quote that is not closed");
        } else {
            ++at_;
        }
    }

    /// `$tag$ … $tag$`. Answers false for a parameter such as `$1`.
    bool skip_dollar_quoted() {
        std::size_t end = at_ + 1;
        while (end < sql_.size() && is_word(sql_[end]))
            ++end;
        if (end >= sql_.size() || sql_[end] != '$' || (sql_[at_ + 1] >= '0' && sql_[at_ + 1] <= '9')) return false;
        const std::string_view tag = sql_.substr(at_, end + 1 - at_);
        const std::size_t close = sql_.find(tag, end + 1);
        if (close == std::string_view::npos) fail(at_, "a dollar quote that is not closed");
        at_ = close == std::string_view::npos ? sql_.size() : close + tag.size();
        return true;
    }

    void finish() {
        if (last_end_ > *begun_) statements_.emplace_back(sql_.substr(*begun_, last_end_ - *begun_));
        begun_.reset();
    }

    void fail(std::size_t where, std::string reason) {
        const auto line = std::ranges::count(sql_.substr(0, where), '\n') + 1;
        error_ = SplitError{static_cast<std::size_t>(line), std::move(reason)};
    }

    std::string_view sql_;
    db::Dialect dialect_;
    std::string_view delimiter_ = ";";
    std::size_t at_ = 0;
    std::optional<std::size_t> begun_;  // where the statement in progress begins
    std::size_t last_end_ = 0;          // behind its last token
    Ending ending_;
    std::vector<std::string> statements_;
    std::optional<SplitError> error_;
};

std::string with_lf(std::string_view sql) {
    std::string text;
    text.reserve(sql.size());
    for (std::size_t i = 0; i < sql.size(); ++i) {
        const bool crlf = sql[i] == '\r' && i + 1 < sql.size() && sql[i + 1] == '\n';
        if (!crlf) text += sql[i];
    }
    return text;
}

}  // namespace

std::expected<std::vector<std::string>, SplitError> split_statements(std::string_view sql, db::Dialect dialect) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (sql.starts_with(kByteOrderMark)) sql.remove_prefix(kByteOrderMark.size());
    const std::string text = with_lf(sql);
    return Splitter(text, dialect).run();
}

}  // namespace sluice::migrate::internal
