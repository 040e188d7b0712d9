// Random values and random bytes: decode undoes encode, and nothing from outside can crash the parser.
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <boost/describe.hpp>

#include "sluice/core/json.hpp"
#include "sluice/testing/scale.hpp"

namespace sluice::core::json {
namespace property_test {

enum class Mark { one, two, three };
BOOST_DESCRIBE_ENUM(Mark, one, two, three)

struct Leaf {
    bool truth = false;
    std::int64_t whole = 0;
    std::uint64_t natural = 0;
    double real = 0;
    std::string text;
    std::optional<std::int32_t> maybe;
    Mark mark = Mark::one;
};
BOOST_DESCRIBE_STRUCT(Leaf, (), (truth, whole, natural, real, text, maybe, mark))

struct Branch {
    std::vector<Leaf> leaves;
    std::map<std::string, std::vector<Leaf>> named;
    std::vector<Branch> branches;
};
BOOST_DESCRIBE_STRUCT(Branch, (), (leaves, named, branches))

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t bits() { return engine_(); }
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(bits() % bound); }

    std::string text() {
        static constexpr std::string_view kPieces[] = {"a",
                                                       "Z9 ",
                                                       "\"",
                                                       "\\",
                                                       "\n",
                                                       "\x01",
                                                       "\xC3\xA9",
                                                       "\xE2\x82\xAC",
                                                       "\x7f",
                                                       "\xEF\xBF\xBF",
                                                       "\xF0\x9D\x84\x9E",
                                                       "/"};
        std::string out;
        for (std::size_t n = below(8); n > 0; --n)
            out += kPieces[below(std::size(kPieces))];
        return out;
    }

    Leaf leaf() {
        Leaf leaf;
        leaf.truth = below(2) == 0;
        leaf.whole = std::bit_cast<std::int64_t>(bits()) >> below(64);
        leaf.natural = bits() >> below(64);
        leaf.real = std::bit_cast<double>(bits());
        if (!std::isfinite(leaf.real)) leaf.real = static_cast<double>(leaf.whole) / 3;
        leaf.text = text();
        if (below(2) == 0) leaf.maybe = static_cast<std::int32_t>(bits());
        leaf.mark = static_cast<Mark>(below(3));
        return leaf;
    }

    Branch branch(std::size_t depth) {
        Branch branch;
        for (std::size_t n = below(4); n > 0; --n)
            branch.leaves.push_back(leaf());
        for (std::size_t n = below(3); n > 0; --n)
            branch.named[text()].push_back(leaf());
        for (std::size_t n = depth == 0 ? 0 : below(3); n > 0; --n)
            branch.branches.push_back(this->branch(depth - 1));
        return branch;
    }

private:
    std::mt19937_64 engine_;
};

constexpr std::uint64_t kSeed = 20'240'607;

TEST(JsonProperty, decode_undoes_encode) {
    Random random(kSeed);
    for (int i = 0; i < testing::scaled(2'000); ++i) {
        const Branch value = random.branch(3);
        const std::string text = encode(value);
        const auto back = decode<Branch>(text);
        ASSERT_TRUE(back.has_value()) << "seed " << kSeed << ": " << to_string(back.error()) << " in " << text;
        ASSERT_EQ(encode(*back), text) << "seed " << kSeed;
        ASSERT_EQ(compact(text).value(), text) << "seed " << kSeed;
    }
}

TEST(JsonProperty, doubles_keep_every_bit) {
    Random random(kSeed);
    for (int i = 0; i < testing::scaled(100'000); ++i) {
        const auto value = std::bit_cast<double>(random.bits());
        if (!std::isfinite(value)) continue;
        const auto back = decode<double>(encode(value));
        ASSERT_TRUE(back.has_value()) << "seed " << kSeed << ": " << encode(value);
        ASSERT_EQ(std::bit_cast<std::uint64_t>(*back), std::bit_cast<std::uint64_t>(value)) << "seed " << kSeed;
    }
}

TEST(JsonProperty, a_patch_leads_from_any_value_to_any_other) {
    Random random(kSeed);
    for (int i = 0; i < testing::scaled(2'000); ++i) {
        const std::string before = encode(random.branch(2));
        const std::string after = encode(random.branch(2));
        const std::string patch = merge_patch_text(before, after).value();
        const auto result = parse(apply_merge_patch(before, patch).value());
        ASSERT_TRUE(result->root().equals(parse(after)->root())) << "seed " << kSeed << ": " << patch;
    }
}

TEST(JsonProperty, mutated_texts_are_accepted_or_refused_and_never_crash) {
    Random random(kSeed);
    std::size_t accepted = 0;
    std::size_t refused = 0;
    for (int i = 0; i < testing::scaled(20'000); ++i) {
        std::string text = encode(random.branch(1));
        for (std::size_t n = 1 + random.below(3); n > 0; --n) {
            const std::size_t at = random.below(text.size());
            switch (random.below(3)) {
                case 0:
                    text[at] = static_cast<char>(random.bits());
                    break;
                case 1:
                    text.erase(at, 1 + random.below(4));
                    break;
                default:
                    text.insert(at, 1, "{}[]\",:0-e\\"[random.below(11)]);
                    break;
            }
            if (text.empty()) text = "[";
        }
        const auto value = decode<Branch>(text);
        value ? ++accepted : ++refused;
        if (value) continue;
        ASSERT_EQ(value.error().path.front(), '$') << "seed " << kSeed;
        ASSERT_FALSE(value.error().message.empty()) << "seed " << kSeed;
    }
    EXPECT_GT(accepted, static_cast<std::size_t>(testing::scaled(100)));
    EXPECT_GT(refused, static_cast<std::size_t>(testing::scaled(1'000)));
}

TEST(JsonProperty, random_bytes_never_crash) {
    Random random(kSeed);
    for (int i = 0; i < testing::scaled(50'000); ++i) {
        std::string text(random.below(24), '\0');
        for (char& c : text)
            c = static_cast<char>(random.bits());
        const auto document = parse(text);
        if (document) {
            ASSERT_TRUE(compact(text).has_value()) << "seed " << kSeed;
        }
    }
}

}  // namespace property_test
}  // namespace sluice::core::json
