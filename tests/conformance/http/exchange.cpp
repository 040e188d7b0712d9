#include "tests/conformance/http/exchange.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include <fmt/format.h>

#include "sluice/testing/tcp_peer.hpp"

namespace sluice::conformance::http {
namespace {

constexpr std::size_t kByteByByteUpTo = 2'000;
constexpr std::size_t kSmallPiece = 97;  // of longer ones

bool is_interim(unsigned status) {
    return status >= 100 && status < 200 && status != 101;
}

Answer parse_head(std::string_view head) {
    Answer answer;
    if (!head.starts_with("HTTP/1.1 ") || head.size() < 13)
        throw std::runtime_error("no response but " + std::string(head.substr(0, 60)));
    answer.status = static_cast<unsigned>(std::stoul(std::string(head.substr(9, 3))));
    std::size_t at = head.find("\r\n") + 2;
    while (at < head.size()) {
        const std::size_t end = head.find("\r\n", at);
        const std::string_view line = head.substr(at, end - at);
        const std::size_t colon = line.find(": ");
        if (colon == std::string_view::npos) throw std::runtime_error("a field without a colon: " + std::string(line));
        std::string name(line.substr(0, colon));
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        answer.fields[name] = line.substr(colon + 2);
        at = end + 2;
    }
    return answer;
}

std::string statuses(const std::vector<Answer>& answers) {
    std::string all;
    for (const Answer& answer : answers)
        all += fmt::format(" {}", answer.status);
    return all.empty() ? " nothing" : all;
}

bool refuses(unsigned status) {
    for (unsigned one : {400U, 408U, 413U, 414U, 417U, 421U, 431U, 501U, 505U})
        if (status == one) return true;
    return false;
}

/// `ahead` valid requests stand before the rule's and two behind it, of which the last closes.
std::string judge(const Verdict& verdict, const std::vector<Answer>& answers, std::size_t ahead) {
    const std::size_t expected = ahead + (verdict.refused != 0 || verdict.closes ? 1 : 3);
    if (answers.size() != expected)
        return fmt::format("{} answers instead of {}:{}", answers.size(), expected, statuses(answers));
    for (std::size_t i = 0; i < answers.size(); ++i)
        if (i != ahead && answers[i].status != 200)
            return "a valid neighbour was not answered 200:" + statuses(answers);
    const Answer& own = answers[ahead];
    if (verdict.refused != 0 && own.status != verdict.refused)
        return fmt::format("answered {} instead of {}", own.status, verdict.refused);
    if (verdict.refused == 0 && refuses(own.status)) return fmt::format("refused with {}", own.status);
    const auto connection = own.fields.find("connection");
    const bool says_close = connection != own.fields.end() && connection->second == "close";
    if (says_close != (verdict.refused != 0 || verdict.closes)) return "a wrong Connection field";
    if (!own.fields.contains("date")) return "no Date";
    return {};
}

}  // namespace

std::vector<Answer> split_answers(std::string_view bytes, bool head_first) {
    std::vector<Answer> answers;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find("\r\n\r\n");
        if (end == std::string_view::npos)
            throw std::runtime_error("half a response: " + std::string(bytes.substr(0, 60)));
        Answer answer = parse_head(bytes.substr(0, end + 2));
        bytes.remove_prefix(end + 4);
        if (is_interim(answer.status)) continue;
        const auto length = answer.fields.find("content-length");
        const bool has_body = length != answer.fields.end() && !(head_first && answers.empty());
        if (has_body) {
            const std::size_t size = std::stoul(length->second);
            if (size > bytes.size()) throw std::runtime_error("a body that is cut short");
            answer.body = bytes.substr(0, size);
            bytes.remove_prefix(size);
        }
        answers.push_back(std::move(answer));
    }
    return answers;
}

std::vector<Answer> exchange(std::uint16_t port, std::string_view bytes, std::size_t piece, bool head_first) {
    testing::TcpPeer peer(port);
    peer.send_in_pieces(bytes, piece);
    return split_answers(peer.read_until_closed(), head_first);
}

std::string good_request(const Target& target, const std::string& fields) {
    return "GET " + target.good_path + " HTTP/1.1\r\nHost: shop.example\r\n" + fields + "\r\n";
}

std::string run_rule(const Target& target, const std::string& request, const Verdict& verdict) {
    const std::string behind = good_request(target) + good_request(target, "Connection: close\r\n");
    const std::size_t small = request.size() <= kByteByByteUpTo ? 1 : kSmallPiece;
    struct Way {
        const char* name;
        std::size_t piece;
        std::size_t ahead;
    };
    for (const Way& way : {Way{"whole", kWhole, 0}, Way{"in pieces", small, 0}, Way{"pipelined", kWhole, 1}}) {
        if (verdict.head_only && way.ahead > 0) continue;  // only the first answer is known to have no body
        std::string bytes = request + behind;
        if (way.ahead > 0) bytes = good_request(target) + bytes;
        std::string complaint;
        try {
            complaint = judge(verdict, exchange(target.port, bytes, way.piece, verdict.head_only), way.ahead);
        } catch (const std::exception& error) {
            complaint = error.what();
        }
        if (!complaint.empty()) return fmt::format("{}: {}", way.name, complaint);
    }
    return {};
}

}  // namespace sluice::conformance::http
