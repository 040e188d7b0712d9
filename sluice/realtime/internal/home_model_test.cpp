#include "sluice/realtime/internal/home.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sluice/testing/scale.hpp"

namespace sluice::realtime {
namespace {

using namespace std::chrono_literals;

const core::SteadyTime kModelStart{};

// A model: a database that commits, a road on which messages are reordered, doubled and lost, and clients that check
// every step against the database.
class Model final : public HomeActions {
public:
    explicit Model(std::uint32_t seed) : random_(seed) { truth_.push_back({}); }

    void step() {
        switch (below(14)) {
            case 0:
            case 1:
            case 2:
                commit();
                break;
            case 3:
            case 4:
            case 5:
                deliver_any();
                break;
            case 6:
                subscribe();
                break;
            case 7:
                leave();
                break;
            case 8:
                answer_open(below(6) == 0);
                break;
            case 9:
                answer_range(below(5));
                break;
            case 10:
                if (retrying_) {
                    retrying_ = false;
                    home_.on_retry(kModelStart);
                }
                break;
            case 11:
                if (below(40) == 0) rebuild();
                break;
            case 12:
                if (below(8) == 0) read_for_open();
                break;
            default:
                if (below(30) == 0) truth_.back().kept_from = truth_.back().contents.size() - 1;
                break;
        }
        ++steps;
    }

    /// Everything arrives, the source answers, and one more frame shows what was lost: nobody may be behind.
    void quiesce() {
        for (int round = 0; round < 200; ++round) {
            while (!road_.empty())
                deliver_any();
            commit();
            publish_reliably();
            for (int answers = 0; answers < 20; ++answers) {
                answer_open(false);
                answer_range(4);
                if (std::exchange(retrying_, false)) home_.on_retry(kModelStart);
            }
            if (opening_ || ranging_ || retrying_) continue;
            break;
        }
        for (const Client& client : clients_) {
            if (client.waiting) {
                ADD_FAILURE() << "client " << client.token << " was never answered";
                return;
            }
            ASSERT_EQ(client.epoch, truth_.size() - 1);
            ASSERT_EQ(client.version, truth_.back().contents.size() - 1);
        }
    }

    /// The latest inputs and outputs, for whoever looks at a failure.
    [[nodiscard]] std::string journal() const {
        std::string text;
        for (const std::string& line : journal_)
            text += line + "\n";
        return text;
    }

    std::size_t steps = 0;
    std::size_t checked = 0;

private:
    template <class... Args>
    void note(fmt::format_string<Args...> text, Args&&... args) {
        journal_.push_back(fmt::format(text, std::forward<Args>(args)...));
        if (journal_.size() > 60) journal_.pop_front();
    }

    // Truth
    struct EpochTruth {
        std::vector<std::uint64_t> contents{0};  // by version
        std::size_t kept_from = 0;               // frames up to here are no longer kept
    };
    static std::uint64_t after(std::uint64_t content, std::uint64_t version) {
        return content * 6364136223846793005ULL + version;
    }
    static std::string name_of(std::size_t epoch) { return fmt::to_string(epoch + 8); }  // passes from one digit to two
    static std::size_t epoch_of(const std::string& name) { return std::stoul(name) - 8; }

    // The road
    struct Letter {
        enum class Kind { frames, reset, position } kind = Kind::frames;
        std::size_t epoch = 0;
        std::size_t first = 0;
        std::size_t last = 0;
    };

    struct Client {
        std::uint32_t token = 0;
        bool waiting = true;
        std::size_t epoch = 0;
        std::size_t version = 0;
        std::uint64_t content = 0;
    };

    std::size_t below(std::size_t bound) { return random_() % bound; }

    void commit() {
        EpochTruth& now = truth_.back();
        const std::size_t count = 1 + below(3);
        const std::size_t first = now.contents.size();
        for (std::size_t i = 0; i < count; ++i)
            now.contents.push_back(after(now.contents.back(), now.contents.size()));
        road_.push_back({Letter::Kind::frames, truth_.size() - 1, first, now.contents.size() - 1});
    }

    /// A new epoch: the same content under another version, or another content.
    void rebuild() {
        // A publisher sends a channel's changes in order, so what a position follows has arrived or is known to be
        // lost.
        while (!road_.empty())
            deliver(0, true);
        if (std::exchange(unheard_, false))
            home_.lost(name_of(truth_.size() - 1), version(truth_.back().contents.size() - 1), kModelStart);
        EpochTruth next;
        const bool same = below(2) == 0;
        next.contents.clear();
        const std::size_t version = below(5);
        for (std::size_t v = 0; v <= version; ++v)
            next.contents.push_back(random_());
        if (same) next.contents.back() = truth_.back().contents.back();
        next.kept_from = version;
        truth_.push_back(next);
        const Letter letter{same ? Letter::Kind::position : Letter::Kind::reset, truth_.size() - 1, version, version};
        road_.push_back(letter);
        if (same) deliver(0, true);  // and nothing newer overtakes it
    }

    void publish_reliably() {
        const Letter letter = road_.back();
        road_.clear();
        note("publish reliably {} {}..{}", letter.epoch, letter.first, letter.last);
        home_.publish(name_of(letter.epoch), frames(letter.first, letter.last), kModelStart);
    }

    void deliver_any() {
        if (!road_.empty()) deliver(below(road_.size()), false);
    }

    void deliver(std::size_t index, bool or_told) {
        const Letter letter = road_[index];
        const std::size_t fate = below(20);
        if (fate != 0)
            road_.erase(road_.begin() + static_cast<std::ptrdiff_t>(index));  // 0: it comes twice
        else if (or_told)
            road_.erase(road_.begin());
        const std::string epoch = name_of(letter.epoch);
        note("deliver {} {} {}..{} fate {}", static_cast<int>(letter.kind), letter.epoch, letter.first, letter.last,
             fate);
        if (fate == 1 && letter.kind == Letter::Kind::frames && !or_told) {
            unheard_ = true;  // lost, and nobody knows
            return;
        }
        if (fate == 2) return home_.lost(epoch, version(letter.last), kModelStart);
        if (letter.kind == Letter::Kind::position) return home_.position(epoch, version(letter.last));
        if (letter.kind == Letter::Kind::reset) return home_.reset(snapshot_at(letter.epoch, letter.last), kModelStart);
        home_.publish(epoch, frames(letter.first, letter.last), kModelStart);
    }

    static core::Version version(std::size_t number) { return core::Version(static_cast<std::int64_t>(number)); }

    static std::vector<Frame> frames(std::size_t first, std::size_t last) {
        std::vector<Frame> made;
        for (std::size_t v = first; v <= last; ++v)
            made.push_back({version(v), "", "1"});
        return made;
    }

    Snapshot snapshot_at(std::size_t epoch, std::size_t number) {
        return {name_of(epoch), version(number),
                std::make_shared<const std::string>(fmt::to_string(truth_[epoch].contents[number]))};
    }

    void subscribe() {
        if (clients_.size() > 12) return;
        const std::uint32_t token = next_token_++;
        std::optional<ChannelPosition> from;
        if (!left_.empty() && below(3) != 0) {
            Client back = left_[below(left_.size())];
            back.token = token;
            back.waiting = true;
            clients_.push_back(back);
            from = ChannelPosition{name_of(back.epoch), version(back.version)};
        } else {
            clients_.push_back({token});
        }
        note("subscribe {} {}", token, from ? from->version.value() : -1);
        home_.subscribe({0, ConnectionId(token), token}, from);
    }

    void leave() {
        if (clients_.empty()) return;
        const std::size_t index = below(clients_.size());
        if (clients_[index].waiting) return;
        left_.push_back(clients_[index]);
        if (left_.size() > 20) left_.erase(left_.begin());
        clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(index));
        const bool none = std::ranges::all_of(clients_, &Client::waiting);
        note("leave, members remain: {}", !none);
        if (none) home_.no_members();
    }

    // The source. A state is read some time after it was asked for and arrives some time after it was read.
    void read_for_open() {
        if (opening_ && !read_) read_ = snapshot_at(truth_.size() - 1, truth_.back().contents.size() - 1);
    }
    void answer_open(bool fail) {
        if (!opening_) return;
        read_for_open();
        opening_ = false;
        const Snapshot read = *std::exchange(read_, std::nullopt);
        note("opened {} {} failed {}", read.epoch, read.version, fail);
        if (fail)
            home_.on_opened(std::unexpected(SourceError::unavailable), kModelStart);
        else
            home_.on_opened(read, kModelStart);
    }
    void answer_range(std::size_t fate) {
        if (!ranging_) return;
        const auto [epoch, from, to] = *std::exchange(ranging_, std::nullopt);
        note("ranged {} {}..{} fate {}", epoch, from, to, fate);
        if (fate == 0) return home_.on_range(std::unexpected(SourceError::unavailable), kModelStart);
        const EpochTruth& of = truth_[epoch];
        if (fate == 1 || from < of.kept_from || to >= of.contents.size())
            return home_.on_range(std::unexpected(SourceError::gone), kModelStart);
        home_.on_range(frames(from + 1, to), kModelStart);
    }

    // What the home does
    void open() override {
        ASSERT_FALSE(opening_) << "two reads at once";
        note("- open");
        opening_ = true;
    }
    void range(const std::string& epoch, core::Version from, core::Version to) override {
        ASSERT_FALSE(ranging_) << "two ranges at once";
        ASSERT_LT(from, to);
        note("- range {} {}..{}", epoch, from, to);
        ranging_ = {epoch_of(epoch), static_cast<std::size_t>(from.value()), static_cast<std::size_t>(to.value())};
    }
    void retry_in(std::chrono::milliseconds) override {
        ASSERT_FALSE(retrying_);
        note("- retry");
        retrying_ = true;
    }
    void frames(const std::string& epoch, std::span<const Frame> sent) override {
        note("- frames {} {}..{}", epoch, sent.front().version, sent.back().version);
        for (Client& client : clients_)
            if (!client.waiting)
                for (const Frame& frame : sent)
                    apply(client, epoch_of(epoch), frame);
    }
    void apply(Client& client, std::size_t epoch, const Frame& frame) {
        ASSERT_EQ(client.epoch, epoch);
        ASSERT_EQ(client.version + 1, static_cast<std::size_t>(frame.version.value())) << "a gap or a double";
        ++client.version;
        client.content = after(client.content, client.version);
        check(client);
    }
    void check(const Client& client) {
        ++checked;
        ASSERT_LT(client.version, truth_[client.epoch].contents.size());
        ASSERT_EQ(client.content, truth_[client.epoch].contents[client.version]);
    }
    void start(Client& client, const Snapshot& snapshot) {
        client.epoch = epoch_of(snapshot.epoch);
        client.version = static_cast<std::size_t>(snapshot.version.value());
        client.content = std::stoull(*snapshot.state_json);
        check(client);
    }
    void reset(const Snapshot& snapshot) override {
        note("- reset {} {}", snapshot.epoch, snapshot.version);
        for (Client& client : clients_)
            if (!client.waiting) {
                ASSERT_FALSE(epoch_of(snapshot.epoch) < client.epoch) << "an epoch went back";
                ASSERT_TRUE(epoch_of(snapshot.epoch) > client.epoch || snapshot.version >= version(client.version));
                start(client, snapshot);
            }
    }
    void position(const std::string& epoch, core::Version number) override {
        note("- position {} {}", epoch, number);
        for (Client& client : clients_) {
            if (client.waiting) continue;
            client.epoch = epoch_of(epoch);
            client.version = static_cast<std::size_t>(number.value());
            check(client);
        }
    }
    void answer(const Waiter& waiter, AnswerKind kind, const Snapshot* snapshot, core::Version from) override {
        Client& client = *std::ranges::find(clients_, waiter.token, &Client::token);
        ASSERT_TRUE(client.waiting) << "answered twice";
        client.waiting = false;
        note("- answer {} from {}", waiter.token, from);
        if (kind == AnswerKind::state) start(client, *snapshot);
        ASSERT_EQ(name_of(client.epoch), home_.epoch());
        ASSERT_EQ(from, version(client.version));
        ASSERT_TRUE(home_.ring().covers(from, home_.last()));
        for (const Frame& frame : home_.ring().after(from))
            apply(client, client.epoch, frame);
    }
    void refuse(const Waiter& waiter, SourceError) override {
        note("- refuse {}", waiter.token);
        std::erase_if(clients_, [&](const Client& client) { return client.token == waiter.token; });
    }
    void lose_members() override { FAIL() << "the source never said that the channel is gone"; }

    struct Asked {
        std::size_t epoch;
        std::size_t from;
        std::size_t to;
    };
    std::deque<std::string> journal_;
    std::mt19937 random_;
    std::vector<EpochTruth> truth_;
    std::vector<Letter> road_;
    std::vector<Client> clients_;
    std::vector<Client> left_;
    std::uint32_t next_token_ = 1;
    bool unheard_ = false;
    bool opening_ = false;
    bool retrying_ = false;
    std::optional<Snapshot> read_;
    std::optional<Asked> ranging_;
    SourcedHome home_{HomeLimits{.ring = {12, 1 << 20}, .repair_frames = 6, .max_waiting = 10, .retry = 1ms}, *this};
};

TEST(HomeModelTest, no_client_sees_a_gap_a_double_or_a_wrong_state_and_none_stays_behind) {
    const std::uint32_t seed = std::random_device{}();
    std::printf("seed %u\n", seed);
    std::mt19937 seeds(seed);
    std::size_t steps = 0;
    std::size_t checked = 0;
    for (int round = 0; round < testing::scaled(2'500) && !::testing::Test::HasFailure(); ++round) {
        const std::uint32_t round_seed = static_cast<std::uint32_t>(seeds());
        SCOPED_TRACE(::testing::Message() << "round seed " << round_seed);
        Model model(round_seed);
        for (int step = 0; step < 400 && !::testing::Test::HasFailure(); ++step)
            model.step();
        if (!::testing::Test::HasFailure()) model.quiesce();
        if (::testing::Test::HasFailure()) std::printf("%s", model.journal().c_str());
        steps += model.steps;
        checked += model.checked;
    }
    std::printf("%zu steps, %zu positions checked\n", steps, checked);
    EXPECT_GE(steps, static_cast<std::size_t>(testing::scaled(1'000'000)));
}

}  // namespace
}  // namespace sluice::realtime
