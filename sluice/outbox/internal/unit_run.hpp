// One unit of work of a transactional subscription: what goes in, what is written with the cursor, and what the lane
// learns once it committed. A try that is rolled back leaves nothing of the last two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/db/row.hpp"
#include "sluice/outbox/internal/subscription.hpp"

namespace sluice::outbox {

/// A message of a batch and what is to be done with it.
struct Item {
    enum class Fate : std::uint8_t {
        handle,
        join,  ///< its key is set aside: it waits there
        pass,  ///< replayed for another subscription
    };
    Waiting waiting;
    Fate fate = Fate::handle;
    std::string group;
    std::uint32_t attempts = 0;

    [[nodiscard]] const Message& message() const noexcept { return *waiting.logged.message; }
};

/// A statement, and whether it must hit exactly one row.
struct Write {
    db::Statement statement;
    bool one_row = false;
};

/// The failure of one message, as a handler told it or threw it.
struct Complaint {
    std::string reason;
    bool rejected = false;
    std::optional<std::chrono::milliseconds> after;
};

struct UnitRun {
    std::size_t lane = 0;
    bool careful = false;
    bool apart = false;  ///< the items are those of one key that was set aside
    CursorRef cursor;
    std::int64_t from = 0;  ///< where the cursor stands
    std::int64_t from_tick = 0;
    std::int64_t handled_before = 0;  ///< where the handler's last batch ended
    std::vector<Item> items;

    std::vector<Write> writes;
    std::size_t done = 0;                                      ///< items that the cursor passes
    std::size_t handled = 0;                                   ///< of them, by the handler
    std::optional<std::pair<std::size_t, Complaint>> culprit;  ///< the item whose failure undid the unit, if known

    std::vector<std::int64_t> finished;
    std::vector<std::pair<std::string, ParkedKey>> set_aside;
    std::vector<std::pair<std::int64_t, RetryState>> failed;
    std::uint32_t buried = 0;
    std::optional<ParkedKey> still_apart;  ///< what the key of `apart` items waits for; nothing: it returns to its lane

    /// Before every try: nothing has happened yet.
    void begin();
    [[nodiscard]] bool is_set_aside(const std::string& group) const;

    /// `item` is done with by the handler; a letter that it replayed is resolved.
    void finish(const Item& item, db::Dialect dialect);
    /// It goes to the dead letters; a letter that it replayed is pending again.
    void bury(const Item& item, std::uint32_t attempts, const Complaint& complaint, db::Dialect dialect);
    void park(const Item& item, const Judgement& judgement, const Complaint& complaint);
    void keep(const Item& item, const Judgement& judgement, const Complaint& complaint, db::Dialect dialect);
    /// It waits behind its key.
    void join(const Item& item);
    /// One of the `apart` items goes on waiting.
    void wait_apart(const Item& item, ParkedKey key, const Complaint& complaint);

    /// A person must release the message of `row` first: then the key waits for that.
    [[nodiscard]] bool stops_at_held(const db::Row& row, const Item& item);

    /// The cursor's move, then all that is written with it.
    [[nodiscard]] std::vector<Write> take_writes();

private:
    void done_with(const Item& item);
};

}  // namespace sluice::outbox
