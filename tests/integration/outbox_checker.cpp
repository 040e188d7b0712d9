#include "outbox_checker.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

namespace sluice::outbox_tests {
namespace {

constexpr std::chrono::milliseconds kLook{5};
constexpr int kMostLooks = 6'000;

std::string shown(const KeyAndNumber& message) {
    return fmt::format("{} {}", message.first, message.second);
}

}  // namespace

void Findings::complain(std::int64_t& kind, std::string text) {
    ++kind;
    if (examples.size() < 20) examples.push_back(std::move(text));
}

/// What the database's program answers, a row as its fields.
std::vector<OutboxChecker::Fields> OutboxChecker::rows(const std::string& sql) const {
    const testing::ShellAnswer answer = database_.shell(sql + ";");
    if (answer.status != 0) throw std::runtime_error(fmt::format("{}: {}", sql, answer.output));
    std::vector<Fields> all;
    std::istringstream lines(answer.output);
    for (std::string line; std::getline(lines, line);) {
        Fields& fields = all.emplace_back();
        std::istringstream words(line);
        for (std::string word; std::getline(words, word, '|');)
            fields.push_back(std::move(word));
    }
    return all;
}

std::int64_t OutboxChecker::number_of(const std::string& sql) const {
    return std::stoll(rows(sql).at(0).at(0));
}

/// A server may still be busy with what the killed process had asked for.
void OutboxChecker::wait_for_the_dead() const {
    if (database_.dialect() == db::Dialect::sqlite) return;
    const std::string others = database_.dialect() == db::Dialect::postgres
                                   ? "select count(*) from pg_stat_activity where datname = current_database()"
                                     " and pid <> pg_backend_pid()"
                                   : "select count(*) from information_schema.processlist where db = database()"
                                     " and id <> connection_id()";
    for (int look = 0; number_of(others) != 0; ++look) {
        if (look == kMostLooks) throw std::runtime_error("the killed process's connections do not end");
        std::this_thread::sleep_for(kLook);  // lint: allow sleep: between two looks at the server
    }
}

bool OutboxChecker::has_tables() const {
    const auto there = [this](const char* sql) { return database_.shell(sql).status == 0; };
    return there("select number from placed where number = 0;") &&
           there("select number from applied where number = 0;");
}

void OutboxChecker::look_after(std::uint64_t life) {
    life_ = life;
    wait_for_the_dead();
    if (!has_tables()) {  // killed before they were there
        if (!acknowledged_.empty()) findings_.complain(findings_.lost, "the tables are gone");
        return;
    }
    read_database();
    check_producers();
    check_applied();
    check_ticks();
    check_letters(life);
    check_cursors();
    check_sequences(false);
}

void OutboxChecker::read_database() {
    placed_.clear();
    written_.clear();
    applied_.clear();
    for (const Fields& row : rows("select \"key\", number from placed"))
        placed_.emplace(row.at(0), std::stoll(row.at(1)));
    const bool bytes = database_.dialect() == db::Dialect::postgres;
    const std::string payload = bytes ? "convert_from(payload, 'UTF8')" : "payload";
    for (const Fields& row : rows("select " + payload + " from sluice_message order by id")) {
        std::istringstream words(row.at(0));
        KeyAndNumber message;
        words >> message.first >> message.second;
        if (!written_.insert(message).second)
            findings_.complain(findings_.invented, "written twice: " + shown(message));
    }
    for (const Fields& row : rows("select \"key\", number, lane, sequence from applied order by n")) {
        applied_.emplace_back(row.at(0), std::stoll(row.at(1)));
        const auto [known, fresh] = by_lane_[std::stoll(row.at(2))].try_emplace(std::stoll(row.at(3)), applied_.back());
        if (!fresh && known->second != applied_.back())
            findings_.complain(findings_.gaps, "two messages have one sequence: " + shown(applied_.back()));
    }
    findings_.acknowledged = static_cast<std::int64_t>(acknowledged_.size());
    findings_.messages = static_cast<std::int64_t>(written_.size());
    findings_.applied = static_cast<std::int64_t>(applied_.size());
}

void OutboxChecker::check_producers() {
    for (const KeyAndNumber& message : acknowledged_)
        if (!placed_.contains(message) || !written_.contains(message))
            findings_.complain(findings_.lost, "acknowledged and not in the database: " + shown(message));
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

void OutboxChecker::check_ticks() {
    // On a server a late commit brings a low id.
    const bool rising = database_.dialect() == db::Dialect::sqlite;
    std::int64_t n = 0;
    std::int64_t position = 1;
    std::int64_t highest = 0;
    for (const Fields& row :
         rows("select n, first_position, messages, lowest_id, highest_id from sluice_tick order by n")) {
        const bool follows = std::stoll(row.at(0)) == n + 1 && std::stoll(row.at(1)) == position &&
                             (!rising || std::stoll(row.at(3)) > highest);
        n = std::stoll(row.at(0));
        if (!follows) findings_.complain(findings_.gaps, fmt::format("tick {} does not follow", n));
        position += std::stoll(row.at(2));
        highest = std::max<std::int64_t>(highest, std::stoll(row.at(4)));
    }
    numbered_ = position - 1;
    const std::int64_t written = number_of(fmt::format("select count(*) from sluice_message where id <= {}", highest));
    const bool too_many = numbered_ > written;
    if (too_many || (rising && numbered_ != written))
        findings_.complain(findings_.gaps, fmt::format("{} positions for {} messages", numbered_, written));
}

/// Every message that a transactional cursor passed is applied or waits apart.
void OutboxChecker::check_cursors() {
    const std::int64_t passed =
        number_of("select coalesce(sum(seq), 0) from sluice_cursor where subscription = 'apply'");
    const std::int64_t apart = number_of("select count(*) from sluice_parked where subscription = 'apply'");
    if (passed != findings_.applied + apart)
        findings_.complain(findings_.gaps, fmt::format("the cursors passed {}, {} are applied and {} wait apart",
                                                       passed, findings_.applied, apart));
    if (number_of("select count(*) from sluice_dead_letter") != 0)
        findings_.complain(findings_.lost, "a message was buried");
    acknowledged_leases_.clear();
    for (const Fields& row : rows("select lane, seq from sluice_cursor where subscription = 'mail'"))
        acknowledged_leases_[std::stoll(row.at(0))] = std::stoll(row.at(1));
}

std::vector<OutboxChecker::Line> OutboxChecker::new_lines() {
    std::ifstream file(letters_);
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
    if (numbered_ != findings_.messages)
        findings_.complain(findings_.gaps, fmt::format("{} positions for {} messages", numbered_, findings_.messages));
    std::int64_t sequences = 0;
    for (const auto& [lane, messages] : by_lane_)
        sequences += static_cast<std::int64_t>(messages.size());
    if (sequences != findings_.messages)
        findings_.complain(findings_.gaps, fmt::format("{} sequences for {} messages", sequences, findings_.messages));
}

}  // namespace sluice::outbox_tests
