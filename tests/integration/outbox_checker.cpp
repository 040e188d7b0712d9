#include "outbox_checker.hpp"

#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>
#include <sqlite3.h>

namespace sluice::outbox_tests {
namespace {

using Handle = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

Handle open_file(const std::string& path) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    Handle handle(raw, sqlite3_close);
    if (code != SQLITE_OK) throw std::runtime_error("the file cannot be opened: " + path);
    sqlite3_busy_timeout(raw, 5'000);
    return handle;
}

void each_row(sqlite3* database, const std::string& sql, const std::function<void(sqlite3_stmt*)>& take) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(database, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK)
        throw std::runtime_error(fmt::format("{}: {}", sql, sqlite3_errmsg(database)));
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
    int code = 0;
    while ((code = sqlite3_step(raw)) == SQLITE_ROW)
        take(raw);
    if (code != SQLITE_DONE) throw std::runtime_error(fmt::format("{}: {}", sql, sqlite3_errmsg(database)));
}

std::int64_t number_of(sqlite3* database, const std::string& sql) {
    std::int64_t number = 0;
    each_row(database, sql, [&](sqlite3_stmt* row) { number = sqlite3_column_int64(row, 0); });
    return number;
}

std::string text_at(sqlite3_stmt* row, int column) {
    const auto* const text = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
    return text != nullptr ? text : "";
}

std::string shown(const KeyAndNumber& message) {
    return fmt::format("{} {}", message.first, message.second);
}

}  // namespace

void Findings::complain(std::int64_t& kind, std::string text) {
    ++kind;
    if (examples.size() < 20) examples.push_back(std::move(text));
}

void OutboxChecker::look_after(std::uint64_t life) {
    life_ = life;
    const Handle database = open_file(files_.database);
    if (number_of(database.get(), "select count(*) from sqlite_schema where name in ('placed', 'applied')") < 2) {
        // Killed before its tables were there.
        if (!acknowledged_.empty()) findings_.complain(findings_.lost, "the tables are gone");
        return;
    }
    read_file(database.get());
    check_producers();
    check_applied();
    check_ticks(database.get());
    check_letters(life);
    check_cursors(database.get());
    check_sequences(false);
}

void OutboxChecker::read_file(sqlite3* database) {
    placed_.clear();
    written_.clear();
    applied_.clear();
    each_row(database, "select key, number from placed",
             [&](sqlite3_stmt* row) { placed_.emplace(text_at(row, 0), sqlite3_column_int64(row, 1)); });
    each_row(database, "select payload from sluice_message order by id", [&](sqlite3_stmt* row) {
        std::istringstream words(text_at(row, 0));
        KeyAndNumber message;
        words >> message.first >> message.second;
        if (!written_.insert(message).second)
            findings_.complain(findings_.invented, "written twice: " + shown(message));
    });
    each_row(database, "select key, number, lane, sequence from applied order by n", [&](sqlite3_stmt* row) {
        applied_.emplace_back(text_at(row, 0), sqlite3_column_int64(row, 1));
        const auto [known, fresh] =
            by_lane_[sqlite3_column_int64(row, 2)].try_emplace(sqlite3_column_int64(row, 3), applied_.back());
        if (!fresh && known->second != applied_.back())
            findings_.complain(findings_.gaps, "two messages have one sequence: " + shown(applied_.back()));
    });
    findings_.acknowledged = static_cast<std::int64_t>(acknowledged_.size());
    findings_.messages = static_cast<std::int64_t>(written_.size());
    findings_.applied = static_cast<std::int64_t>(applied_.size());
}

void OutboxChecker::check_producers() {
    for (const KeyAndNumber& message : acknowledged_)
        if (!placed_.contains(message) || !written_.contains(message))
            findings_.complain(findings_.lost, "acknowledged and not in the file: " + shown(message));
    for (const KeyAndNumber& message : written_)
        if (!placed_.contains(message) || message.second <= 0)
            findings_.complain(findings_.invented, "a message of no unit: " + shown(message));
    for (const KeyAndNumber& message : placed_)
        if (!written_.contains(message))
            findings_.complain(findings_.lost, "a unit without its message: " + shown(message));
}

/// Producers count by one under each key, so the effects of a key are 1, 2, 3, … and nothing else.
void OutboxChecker::check_applied() {
    std::map<std::string, std::int64_t> last;
    std::set<KeyAndNumber> seen;
    for (const KeyAndNumber& message : applied_) {
        if (!placed_.contains(message))
            findings_.complain(findings_.invented, "applied from nowhere: " + shown(message));
        if (!seen.insert(message).second) {
            findings_.complain(findings_.applied_twice, "applied twice: " + shown(message));
            continue;
        }
        std::int64_t& before = last[message.first];
        if (message.second != before + 1)
            findings_.complain(findings_.reordered,
                               fmt::format("applied {} after {} {}", shown(message), message.first, before));
        before = message.second;
    }
}

void OutboxChecker::check_ticks(sqlite3* database) {
    std::int64_t n = 0;
    std::int64_t position = 1;
    std::int64_t highest = 0;
    each_row(database, "select n, first_position, messages, lowest_id, highest_id from sluice_tick order by n",
             [&](sqlite3_stmt* row) {
                 const bool follows = sqlite3_column_int64(row, 0) == n + 1 &&
                                      sqlite3_column_int64(row, 1) == position &&
                                      sqlite3_column_int64(row, 3) > highest;
                 n = sqlite3_column_int64(row, 0);
                 if (!follows) findings_.complain(findings_.gaps, fmt::format("tick {} does not follow", n));
                 position += sqlite3_column_int64(row, 2);
                 highest = sqlite3_column_int64(row, 4);
             });
    const std::int64_t numbered =
        number_of(database, fmt::format("select count(*) from sluice_message where id <= {}", highest));
    if (numbered != position - 1)
        findings_.complain(findings_.gaps, fmt::format("{} positions for {} messages", position - 1, numbered));
}

/// Every message that a transactional cursor passed is applied or waits apart.
void OutboxChecker::check_cursors(sqlite3* database) {
    const std::int64_t passed =
        number_of(database, "select coalesce(sum(seq), 0) from sluice_cursor where subscription = 'apply'");
    const std::int64_t apart = number_of(database, "select count(*) from sluice_parked where subscription = 'apply'");
    if (passed != findings_.applied + apart)
        findings_.complain(findings_.gaps, fmt::format("the cursors passed {}, {} are applied and {} wait apart",
                                                       passed, findings_.applied, apart));
    if (number_of(database, "select count(*) from sluice_dead_letter") != 0)
        findings_.complain(findings_.lost, "a message was buried");
    acknowledged_leases_.clear();
    each_row(database, "select lane, seq from sluice_cursor where subscription = 'mail'", [&](sqlite3_stmt* row) {
        acknowledged_leases_[sqlite3_column_int64(row, 0)] = sqlite3_column_int64(row, 1);
    });
}

std::vector<OutboxChecker::Line> OutboxChecker::new_lines() {
    std::ifstream file(files_.letters);
    file.seekg(static_cast<std::streamoff>(read_bytes_));
    std::vector<Line> lines;
    for (std::string text; std::getline(file, text) && !file.eof();) {
        read_bytes_ += text.size() + 1;
        std::istringstream words(text);
        Line line;
        words >> line.life >> line.lane >> line.sequence >> line.message.first >> line.message.second;
        lines.push_back(std::move(line));
    }
    return lines;
}

void OutboxChecker::check_letters(std::uint64_t life) {
    last_of_lane_.clear();
    for (const Line& line : new_lines()) {
        ++findings_.sent;
        if (line.life != life) findings_.complain(findings_.gaps, fmt::format("a line of life {}", line.life));
        check_line(line);
    }
}

void OutboxChecker::check_line(const Line& line) {
    if (!placed_.contains(line.message))
        findings_.complain(findings_.invented, "sent from nowhere: " + shown(line.message));
    const auto [known, fresh] = by_lane_[line.lane].try_emplace(line.sequence, line.message);
    if (!fresh && known->second != line.message)
        findings_.complain(findings_.gaps, "two messages have one sequence: " + shown(line.message));
    std::int64_t& last = last_of_lane_[line.lane];
    if (last != 0 && line.sequence <= last)
        findings_.complain(findings_.reordered,
                           fmt::format("lane {}: sent {} after {}", line.lane, line.sequence, last));
    last = line.sequence;
    if (line.sequence <= acknowledged_leases_[line.lane])
        findings_.complain(findings_.sent_beyond, "sent again although acknowledged: " + shown(line.message));
    const auto [sent, first_time] = last_sent_.try_emplace(line.message, line.life);
    if (first_time) return;
    ++findings_.sent_again;
    if (sent->second == line.life)
        findings_.complain(findings_.sent_beyond, "sent twice in one life: " + shown(line.message));
    sent->second = line.life;
}

/// A lane's sequences rise with the numbers of each key, and at the end they are dense.
void OutboxChecker::check_sequences(bool dense) {
    for (const auto& [lane, messages] : by_lane_) {
        std::map<std::string, std::int64_t> last;
        std::int64_t before = 0;
        for (const auto& [sequence, message] : messages) {
            if (dense && sequence != before + 1)
                findings_.complain(findings_.gaps, fmt::format("lane {}: {} after {}", lane, sequence, before));
            before = sequence;
            if (message.second <= last[message.first])
                findings_.complain(findings_.reordered,
                                   fmt::format("lane {}: {} is numbered late", lane, shown(message)));
            last[message.first] = message.second;
        }
    }
}

void OutboxChecker::look_at_the_end() {
    const std::set<KeyAndNumber> applied(applied_.begin(), applied_.end());
    for (const KeyAndNumber& message : placed_) {
        if (!applied.contains(message)) findings_.complain(findings_.lost, "never applied: " + shown(message));
        if (!last_sent_.contains(message)) findings_.complain(findings_.lost, "never sent: " + shown(message));
    }
    check_sequences(true);
    std::int64_t sequences = 0;
    for (const auto& [lane, messages] : by_lane_)
        sequences += static_cast<std::int64_t>(messages.size());
    if (sequences != findings_.messages)
        findings_.complain(findings_.gaps, fmt::format("{} sequences for {} messages", sequences, findings_.messages));
}

}  // namespace sluice::outbox_tests
