#include "sluice/outbox/internal/tick_codec.hpp"

#include <limits>
#include <optional>

#include <fmt/format.h>

#include "sluice/core/assert.hpp"

namespace sluice::outbox {
namespace {

constexpr char kCodecVersion = 1;
constexpr std::uint64_t kLargestNumber = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kLargestQueue = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kLargestLane = 4'095;

void put(std::string& out, std::int64_t number) {
    SLUICE_ASSERT(number >= 0, "a tick's number is {}", number);
    auto rest = static_cast<std::uint64_t>(number);
    while (rest >= 0x80U) {
        out.push_back(static_cast<char>(rest | 0x80U));
        rest >>= 7U;
    }
    out.push_back(static_cast<char>(rest));
}

void put_lane(std::string& out, const std::optional<LaneRef>& previous, LaneRef lane) {
    const std::int32_t step = lane.queue - (previous ? previous->queue : 0);
    const bool same = previous && step == 0;
    put(out, step);
    put(out, same ? lane.lane.value() - previous->lane.value() - 1 : lane.lane.value());
}

/// Reads numbers until the first that is wrong; then every further read fails and the first error stays.
class NumberReader {
public:
    explicit NumberReader(std::string_view bytes) : bytes_(bytes) {}

    bool version() {
        if (bytes_.empty() || bytes_[0] != kCodecVersion) return fail("an unknown version");
        at_ = 1;
        return true;
    }
    std::uint64_t number(std::uint64_t largest = kLargestNumber) {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63 && error_.empty(); shift += 7) {
            if (at_ == bytes_.size()) return cut("the end within a number");
            const auto byte = static_cast<unsigned char>(bytes_[at_++]);
            value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
            if (byte < 0x80U) return value <= largest ? value : cut("a number out of range");
        }
        return cut("a number of more than 63 bits");
    }
    /// How many things follow, each of at least one byte.
    std::uint64_t count() {
        const std::uint64_t things = number();
        return things <= bytes_.size() - at_ ? things : cut("more entries than bytes");
    }
    LaneRef lane(const std::optional<LaneRef>& previous) {
        const LaneRef before = previous.value_or(LaneRef{});
        const std::uint64_t step = number(kLargestQueue - static_cast<std::uint64_t>(before.queue));
        const std::uint64_t lane = number(kLargestLane);
        const bool same = previous && step == 0;
        const std::uint64_t whole = same ? before.lane.value() + 1 + lane : lane;
        if (whole > kLargestLane) cut("a lane out of range");
        return LaneRef{before.queue + static_cast<std::int32_t>(step), core::LaneId(static_cast<std::uint16_t>(whole))};
    }
    /// `base + step`, which must not overflow.
    std::int64_t sum(std::int64_t base, std::uint64_t step) {
        if (step > kLargestNumber - static_cast<std::uint64_t>(base))
            return static_cast<std::int64_t>(cut("a number out of range"));
        return base + static_cast<std::int64_t>(step);
    }
    std::uint64_t cut(const char* what) {
        fail(what);
        return 0;
    }
    bool finish() {
        if (error_.empty() && at_ != bytes_.size()) fail("bytes after the last entry");
        return error_.empty();
    }
    [[nodiscard]] bool good() const noexcept { return error_.empty(); }
    [[nodiscard]] const std::string& error() const noexcept { return error_; }

private:
    bool fail(const char* what) {
        if (error_.empty()) error_ = fmt::format("{} at byte {} of {}", what, at_, bytes_.size());
        return false;
    }

    std::string_view bytes_;
    std::size_t at_ = 0;
    std::string error_;
};

void read_ids(NumberReader& reader, LaneRun& run, std::int64_t lowest_id) {
    const std::uint64_t more = reader.count();
    run.ids.reserve(more + 1);
    run.ids.push_back(reader.sum(lowest_id, reader.number()));
    for (std::uint64_t i = 0; i < more && reader.good(); ++i)
        run.ids.push_back(reader.sum(reader.sum(run.ids.back(), 1), reader.number()));
    if (reader.good()) reader.sum(run.first.value(), more + 1);
}

}  // namespace

std::string encode_runs(const std::vector<LaneRun>& runs, std::int64_t lowest_id) {
    std::string out(1, kCodecVersion);
    put(out, static_cast<std::int64_t>(runs.size()));
    std::optional<LaneRef> previous;
    for (const LaneRun& run : runs) {
        put_lane(out, previous, run.lane);
        previous = run.lane;
        put(out, run.first.value());
        put(out, static_cast<std::int64_t>(run.ids.size()) - 1);
        std::int64_t expected = lowest_id;
        for (const std::int64_t id : run.ids) {
            put(out, id - expected);
            expected = id + 1;
        }
    }
    return out;
}

std::expected<std::vector<LaneRun>, std::string> decode_runs(std::string_view bytes, std::int64_t lowest_id) {
    NumberReader reader(bytes);
    std::vector<LaneRun> runs;
    if (lowest_id < 0) reader.cut("a lowest id below zero");
    if (reader.good() && reader.version()) {
        std::optional<LaneRef> previous;
        const std::uint64_t count = reader.count();
        for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
            LaneRun run;
            run.lane = reader.lane(previous);
            run.first = core::Sequence(static_cast<std::int64_t>(reader.number()));
            read_ids(reader, run, lowest_id);
            previous = run.lane;
            runs.push_back(std::move(run));
        }
    }
    if (!reader.finish()) return std::unexpected("tick references: " + reader.error());
    return runs;
}

std::string encode_checkpoint(const std::vector<NextSequence>& entries) {
    std::string out(1, kCodecVersion);
    put(out, static_cast<std::int64_t>(entries.size()));
    std::optional<LaneRef> previous;
    for (const NextSequence& entry : entries) {
        put_lane(out, previous, entry.lane);
        previous = entry.lane;
        put(out, entry.next.value());
    }
    return out;
}

std::expected<std::vector<NextSequence>, std::string> decode_checkpoint(std::string_view bytes) {
    NumberReader reader(bytes);
    std::vector<NextSequence> entries;
    if (reader.version()) {
        std::optional<LaneRef> previous;
        const std::uint64_t count = reader.count();
        for (std::uint64_t i = 0; i < count && reader.good(); ++i) {
            const LaneRef lane = reader.lane(previous);
            entries.push_back({lane, core::Sequence(static_cast<std::int64_t>(reader.number()))});
            previous = lane;
        }
    }
    if (!reader.finish()) return std::unexpected("tick checkpoint: " + reader.error());
    return entries;
}

}  // namespace sluice::outbox
