// Requests that a strict server must take or refuse, each run whole, byte by byte, behind a valid request, and with
// another request behind it.
#include "sluice/http/head_check.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sluice/core/random.hpp"
#include "sluice/http/test_head_cases.hpp"

namespace sluice::http {
namespace {

using namespace std::string_literals;

using test_cases::HeadCase;

void expect_verdict(const HeadCase& c, const HeadVerdict& verdict) {
    if (c.status == 0) {
        EXPECT_EQ(verdict.state, HeadState::complete) << verdict.reason;
        EXPECT_EQ(verdict.length, c.text.size());
    } else {
        EXPECT_EQ(verdict.state, HeadState::refused);
        EXPECT_EQ(verdict.status, c.status) << verdict.reason;
        EXPECT_FALSE(verdict.reason.empty());
    }
}

class HeadCheck : public ::testing::Test {
protected:
    const std::vector<HeadCase> cases = test_cases::all_cases();
    const std::string valid = test_cases::line("GET /valid HTTP/1.1");
};

TEST_F(HeadCheck, judges_every_case_whole) {
    for (const HeadCase& c : cases) {
        SCOPED_TRACE(c.name);
        expect_verdict(c, check_head(c.text, {}));
    }
    EXPECT_GE(cases.size(), 230U);
}

TEST_F(HeadCheck, judges_every_case_the_same_when_it_arrives_byte_by_byte) {
    for (const HeadCase& c : cases) {
        SCOPED_TRACE(c.name);
        HeadVerdict verdict;
        std::size_t length = 0;
        while (verdict.state == HeadState::incomplete && length < c.text.size()) {
            ++length;
            const auto seen = std::string_view(c.text).substr(0, length);
            if (may_decide(seen, 1, {})) verdict = check_head(seen, {});
        }
        expect_verdict(c, verdict);
    }
}

TEST_F(HeadCheck, judges_every_case_the_same_behind_a_valid_request) {
    for (const HeadCase& c : cases) {
        SCOPED_TRACE(c.name);
        const std::string stream = valid + c.text;
        const HeadVerdict first = check_head(stream, {});
        ASSERT_EQ(first.state, HeadState::complete);
        ASSERT_EQ(first.length, valid.size());
        expect_verdict(c, check_head(std::string_view(stream).substr(first.length), {}));
    }
}

TEST_F(HeadCheck, what_stands_behind_a_head_does_not_change_its_verdict) {
    for (const HeadCase& c : cases) {
        SCOPED_TRACE(c.name);
        expect_verdict(c, check_head(c.text + valid, {}));
        expect_verdict(c, check_head(c.text + "\0\r\r\n\n"s, {}));
    }
}

TEST_F(HeadCheck, waits_for_the_rest_of_what_may_become_valid) {
    const std::string text = test_cases::request_with("X-A: b\r\n");
    for (std::size_t length = 0; length < text.size(); ++length)
        EXPECT_EQ(check_head(std::string_view(text).substr(0, length), {}).state, HeadState::incomplete) << length;
}

TEST_F(HeadCheck, keeps_to_the_limits_it_is_given) {
    const HeadLimits limits{.request_line = 20, .total = 64, .fields = 2};
    EXPECT_EQ(check_head(test_cases::line("GET / HTTP/1.1"), limits).state, HeadState::complete);
    EXPECT_EQ(check_head(test_cases::line("GET /1234567 HTTP/1.1"), limits).status, 414U);
    EXPECT_EQ(check_head(test_cases::request_with("A: b\r\nC: d\r\n"), limits).status, 431U);
    EXPECT_EQ(check_head(test_cases::request_with("A: " + std::string(60, 'b') + "\r\n"), limits).status, 431U);
}

TEST_F(HeadCheck, mutated_heads_never_crash_and_are_judged_the_same_in_pieces) {
    constexpr std::uint64_t kSeed = 99;
    core::Random random(kSeed);
    const std::string alphabet = "\r\n\t \0:,;\"chunked059-_%/\x7f\xC3"s;
    std::size_t accepted = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text = cases[random.below(cases.size())].text;
        if (text.size() > 400) continue;
        for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
            const auto at = static_cast<std::size_t>(random.below(text.size()));
            const char c = alphabet[random.below(alphabet.size())];
            random.below(2) == 0 ? text[at] = c : *text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
        }
        const HeadVerdict whole = check_head(text, {});
        const auto half = std::string_view(text).substr(0, text.size() / 2);
        const HeadVerdict early = check_head(half, {});
        if (early.state == HeadState::complete) {
            ASSERT_EQ(early.length, whole.length) << "seed " << kSeed << " round " << round;
        }
        if (early.state == HeadState::refused) {
            ASSERT_EQ(early.status, whole.status) << "seed " << kSeed << " round " << round;
        }
        if (whole.state == HeadState::complete) ++accepted;
    }
    EXPECT_GT(accepted, 500U);
}

}  // namespace
}  // namespace sluice::http
