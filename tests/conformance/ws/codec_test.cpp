// Every rule against the pure reader, in every chopping of its bytes.
#include <array>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <span>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/realtime/ws/message_reader.hpp"
#include "tests/conformance/tally.hpp"
#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

namespace engine = realtime::ws;

constexpr engine::FrameLimits kLimits{.message_bytes = 16 * 1024 * 1024, .fragments = 100'000};
constexpr std::size_t kEverySplitUpTo = 300;  // bytes; longer ones are split at random places
constexpr int kRandomChoppings = 12;

/// Writes down what an echo server would answer.
class Recorder final : public engine::MessageHandler {
public:
    engine::Proceed on_message(bool is_text, std::string_view payload) override {
        seen.push_back(is_text ? text(std::string(payload)) : binary(std::string(payload)));
        return engine::Proceed::yes;
    }
    engine::Proceed on_ping(std::string_view payload) override {
        seen.push_back(pong(std::string(payload)));
        return engine::Proceed::yes;
    }
    engine::Proceed on_pong() override { return engine::Proceed::yes; }
    void on_close(std::uint16_t code, std::string_view) override { end(code == 0 ? 1000 : code); }
    void on_failure(engine::CloseCode code, std::string_view) override { end(static_cast<std::uint16_t>(code)); }

    std::vector<Seen> seen;
    bool over = false;

private:
    void end(std::uint16_t code) {
        seen.push_back(closed(code));
        over = true;
    }
};

struct Outcome {
    std::vector<Seen> seen;
    std::size_t needed = 0;  ///< bytes that were fed until the end
};

/// Feeds pieces of the sizes that `next_size` names.
Outcome feed(std::string bytes, const std::function<std::size_t(std::size_t at)>& next_size) {
    Recorder recorder;
    engine::MessageReader reader(kLimits);
    std::size_t at = 0;
    while (at < bytes.size() && !recorder.over) {
        const std::size_t size = std::min(next_size(at), bytes.size() - at);
        const std::span<char> piece = std::span(bytes).subspan(at, size);
        reader.feed(std::as_writable_bytes(piece), recorder);
        at += size;
    }
    return {std::move(recorder.seen), at};
}

std::string describe(const std::vector<Seen>& seen) {
    std::string all;
    for (const Seen& one : seen) {
        constexpr std::array<const char*, 4> kNames{"text", "binary", "pong", "close"};
        all += fmt::format(" {}", kNames.at(static_cast<std::size_t>(one.what)));
        if (one.what == What::close)
            all += fmt::format(" {}", one.code);
        else
            all += fmt::format("[{}]", one.payload.size());
    }
    return all;
}

/// Empty, or what is wrong with one chopping.
std::string judge(const Rule& rule, const Outcome& outcome, const std::string& chopping) {
    if (outcome.seen == rule.expected) return {};
    return fmt::format("{} ({}): expected{}, saw{}", rule.id, chopping, describe(rule.expected),
                       describe(outcome.seen));
}

/// Runs a rule in every chopping; the first complaint, or nothing.
class Choppings {
public:
    explicit Choppings(const Rule& rule) : rule_(rule), bytes_(whole(rule)) {}

    std::string run() {
        if (auto bad = once("whole", [](std::size_t) { return SIZE_MAX; }); !bad.empty()) return bad;
        if (auto bad = by_writes(); !bad.empty()) return bad;
        if (rule_.sizes_of_a_server) return random(2);
        if (auto bad = by_bytes(); !bad.empty()) return bad;
        if (bytes_.size() <= kEverySplitUpTo) {
            if (auto bad = every_split(); !bad.empty()) return bad;
        }
        return random(kRandomChoppings);
    }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    std::string once(const std::string& name, const std::function<std::size_t(std::size_t)>& next_size) {
        ++count_;
        return judge(rule_, feed(bytes_, next_size), name);
    }
    std::string by_writes() {
        std::size_t write = 0;
        return once("as written", [&](std::size_t) { return rule_.writes[write++].size(); });
    }
    std::string by_bytes() {
        ++count_;
        const Outcome outcome = feed(bytes_, [](std::size_t) { return 1; });
        if (auto bad = judge(rule_, outcome, "byte by byte"); !bad.empty()) return bad;
        if (rule_.decided == 0 || outcome.needed == rule_.decided) return {};
        return fmt::format("{}: failed after byte {}, not after byte {}", rule_.id, outcome.needed, rule_.decided);
    }
    std::string every_split() {
        for (std::size_t split = 1; split < bytes_.size(); ++split) {
            auto bad =
                once(fmt::format("split at {}", split), [split](std::size_t at) { return at == 0 ? split : SIZE_MAX; });
            if (!bad.empty()) return bad;
        }
        return {};
    }
    std::string random(int choppings) {
        for (int seed = 0; seed < choppings; ++seed) {
            std::mt19937 dice(static_cast<unsigned>(seed));
            const std::size_t largest = 1 + (bytes_.size() >> (seed % 6));
            auto bad = once(fmt::format("random, seed {}", seed), [&](std::size_t) { return 1 + dice() % largest; });
            if (!bad.empty()) return bad;
        }
        return {};
    }

    const Rule& rule_;
    std::string bytes_;
    std::size_t count_ = 0;
};

void run_all(const Rules& rules) {
    std::size_t choppings = 0;
    for (const Rule& rule : rules) {
        Choppings all(rule);
        const std::string complaint = all.run();
        choppings += all.count();
        EXPECT_EQ(complaint, "");
        Tally::instance().count("reader: " + rule.group, complaint.empty());
    }
    fmt::print("{} rules in {} choppings\n", rules.size(), choppings);
}

TEST(WebSocketReader, frames_pings_reserved_bits_and_opcodes_follow_the_table) {
    run_all(framing_rules());
}
TEST(WebSocketReader, fragments_follow_the_table) {
    run_all(fragment_rules());
}
TEST(WebSocketReader, text_follows_the_table_and_fails_at_its_first_impossible_byte) {
    run_all(utf8_rules());
}
TEST(WebSocketReader, closing_follows_the_table) {
    run_all(close_rules());
}
TEST(WebSocketReader, large_messages_follow_the_table) {
    run_all(size_rules());
}
TEST(WebSocketReader, our_own_rules_follow_the_table) {
    run_all(own_rules());
}

/// RFC 6455 section 7.4 and the registry of IANA, over all numbers there are.
TEST(WebSocketReader, every_close_code_is_judged_as_the_registry_says) {
    std::size_t wrong = 0;
    for (std::uint32_t code = 0; code <= 0xffff; ++code) {
        const bool defined = code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
        const bool allowed = defined || (code >= 3000 && code <= 4999);
        const auto sent = static_cast<std::uint16_t>(code);
        const Outcome outcome = feed(close_frame(sent), [](std::size_t) { return SIZE_MAX; });
        if (outcome.seen != std::vector{closed(allowed ? sent : std::uint16_t{1002})}) ++wrong;
    }
    EXPECT_EQ(wrong, 0U);
    Tally::instance().count("reader: own every close code", wrong == 0);
}

/// Each sample in one frame, then in fragments of every size: the verdict is the same.
TEST(WebSocketReader, text_is_judged_the_same_in_fragments_of_every_size) {
    for (const Utf8Sample& sample : utf8_samples()) {
        bool right = true;
        for (std::size_t size = 1; size <= sample.bytes.size(); ++size) {
            const std::string bytes = join(fragments(1, sample.bytes, size));
            const Outcome outcome = feed(bytes, [](std::size_t) { return SIZE_MAX; });
            const Seen expected = sample.valid ? text(sample.bytes) : closed(1007);
            right = right && outcome.seen == std::vector{expected};
        }
        EXPECT_TRUE(right) << sample.id;
        Tally::instance().count("reader: own fragmented text", right);
    }
}

/// The table itself: as many rules as the public suite has, none twice.
TEST(WebSocketTable, holds_every_case_of_the_public_suite_that_needs_no_compression) {
    std::map<std::string, int> by_chapter;
    std::set<std::string> ids;
    for (const Rules& rules : {framing_rules(), fragment_rules(), utf8_rules(), close_rules(), size_rules()}) {
        for (const Rule& rule : rules) {
            ++by_chapter[rule.id.substr(0, rule.id.find('.'))];
            EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
        }
    }
    // 9.7 and 9.8 (12 cases of echoes in turn) have no table of bytes; they run over sockets.
    const std::map<std::string, int> expected{{"1", 16},  {"2", 11}, {"3", 7},  {"4", 10}, {"5", 20},
                                              {"6", 145}, {"7", 37}, {"9", 42}, {"10", 1}};
    EXPECT_EQ(by_chapter, expected);
    std::size_t valid = 0;
    for (const Utf8Sample& sample : utf8_samples())
        valid += sample.valid ? 1 : 0;
    EXPECT_EQ(valid, 63U);
    Tally::instance().not_applicable("WebSocket 12 and 13", 216, "permessage-deflate is not built yet");
}

TEST(WebSocketTable, each_sample_is_valid_exactly_if_it_never_becomes_impossible_and_ends_whole) {
    for (const Utf8Sample& sample : utf8_samples()) {
        const bool possible = first_impossible(sample.bytes) > sample.bytes.size();
        EXPECT_TRUE(possible || !sample.valid) << sample.id;
        EXPECT_EQ(core::is_utf8(sample.bytes), sample.valid) << sample.id;
    }
}

}  // namespace
}  // namespace sluice::conformance::ws
