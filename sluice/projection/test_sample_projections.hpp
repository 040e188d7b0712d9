// Projections that the module's tests and benchmarks fold: one as users write them, one whose events do not commute.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/describe.hpp>

#include "sluice/projection/contract.hpp"

namespace sluice::projection::sample {

struct StockReceived {
    std::string article;
    std::int64_t quantity = 0;
};
BOOST_DESCRIBE_STRUCT(StockReceived, (), (article, quantity))

struct OrderPlaced {
    std::string article;
    std::int64_t quantity = 0;
};
BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (article, quantity))

using StockEvent = std::variant<StockReceived, OrderPlaced>;

struct StockState {
    std::int64_t on_hand = 0;
    std::int64_t reserved = 0;
};
BOOST_DESCRIBE_STRUCT(StockState, (), (on_hand, reserved))

struct StockDelta {
    std::int64_t on_hand = 0;
    std::int64_t reserved = 0;
};
BOOST_DESCRIBE_STRUCT(StockDelta, (), (on_hand, reserved))

struct StockLevel {
    using Event = StockEvent;
    using State = StockState;
    using Delta = StockDelta;
    static constexpr std::string_view name = "stock_level";
    static constexpr int state_version = 1;

    std::string key(const Event& event) const {
        return std::visit([](const auto& e) { return e.article; }, event);
    }
    Delta apply(State& state, const Event& event) const {
        Delta delta;
        if (const auto* received = std::get_if<StockReceived>(&event))
            delta.on_hand = received->quantity;
        else
            delta.reserved = std::get<OrderPlaced>(event).quantity;
        state.on_hand += delta.on_hand;
        state.reserved += delta.reserved;
        return delta;
    }
};

struct Add {
    std::string key;
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(Add, (), (key, value))

struct Multiply {
    std::string key;
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(Multiply, (), (key, value))

/// Concerns two keys, in different ways.
struct Move {
    std::string from;
    std::string to;
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(Move, (), (from, to, value))

struct Average {
    std::string key;
    double value = 0;
};
BOOST_DESCRIBE_STRUCT(Average, (), (key, value))

struct Delete {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(Delete, (), (key))

/// Nobody's.
struct Noise {
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(Noise, (), (value))

/// `apply` throws while `value` is negative, and only then.
struct Poison {
    std::string key;
};
BOOST_DESCRIBE_STRUCT(Poison, (), (key))

struct JournalState {
    std::int64_t value = 0;
    std::vector<std::string> last;  ///< the last five events in order: any exchange of two shows
    std::map<std::string, std::int64_t> partners;
    std::optional<double> mean;
};
BOOST_DESCRIBE_STRUCT(JournalState, (), (value, last, partners, mean))

/// No two kinds of its events commute. No Delta: its deltas are merge patches.
struct Journal {
    using Event = std::variant<Add, Multiply, Move, Average, Delete, Noise, Poison>;
    using State = JournalState;
    static constexpr std::string_view name = "journal";
    static constexpr std::string_view event_name = "entry";
    static constexpr int state_version = 1;

    std::vector<std::string> key(const Event& event) const {
        if (const auto* move = std::get_if<Move>(&event)) return {move->from, move->to};
        if (std::holds_alternative<Noise>(event)) return {};
        return {std::visit([](const auto& e) { return name_of(e); }, event)};
    }

    Verdict<> apply(State& state, const Event& event, std::string_view key) const {
        note(state, event);
        if (const auto* add = std::get_if<Add>(&event)) state.value = wrap(state.value + add->value);
        if (const auto* multiply = std::get_if<Multiply>(&event)) state.value = wrap(state.value * multiply->value);
        if (const auto* move = std::get_if<Move>(&event)) apply_move(state, *move, key);
        if (const auto* average = std::get_if<Average>(&event))
            state.mean = (state.mean.value_or(0.0) + average->value) / 2.0;
        if (std::holds_alternative<Poison>(event) && state.value < 0)
            throw std::runtime_error("a negative journal cannot be poisoned");
        if (std::holds_alternative<Delete>(event)) return Removed{};
        return Kept{};
    }

private:
    static std::int64_t wrap(std::int64_t value) { return value % 1'000'003; }
    static std::string name_of(const Move& e) { return e.from; }
    static std::string name_of(const Noise&) { return {}; }
    template <class E>
    static std::string name_of(const E& e) {
        return e.key;
    }
    static void apply_move(State& state, const Move& move, std::string_view key) {
        const bool gives = key == move.from;
        state.value = wrap(state.value + (gives ? -move.value : move.value));
        state.partners[gives ? move.to : move.from] += 1;
        if (state.partners.size() > 4) state.partners.erase(state.partners.begin());
    }
    static void note(State& state, const Event& event) {
        state.last.push_back(std::to_string(event.index()) + ":" + std::to_string(state.value));
        if (state.last.size() > 5) state.last.erase(state.last.begin());
    }
};

struct JournalDelta {
    std::int64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(JournalDelta, (), (value))

/// The same fold with deltas of its own.
struct ShortJournal {
    using Event = Journal::Event;
    using State = JournalState;
    using Delta = JournalDelta;
    static constexpr std::string_view name = "short_journal";
    static constexpr int state_version = 3;

    std::vector<std::string> key(const Event& event) const { return Journal{}.key(event); }
    Verdict<Delta> apply(State& state, const Event& event, std::string_view key) const {
        if (std::holds_alternative<Removed>(Journal{}.apply(state, event, key))) return Removed{};
        return Delta{state.value};
    }
};

}  // namespace sluice::projection::sample
