// The members of a room on one shard: a flat vector in join order, because walking sockets in the order they were made
// costs a quarter less than in any other. A member that leaves is a hole until the list is compacted, which keeps the
// order and waits for a walk in progress.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sluice/core/assert.hpp"

namespace sluice::realtime {

/// `Who` is what a member is; the list holds pointers only.
template <class Who>
class MemberList {
public:
    struct Member {
        Who* who = nullptr;             ///< null: a hole
        std::uint32_t slot = 0;         ///< where `who` keeps its side of the membership
        std::uint32_t from = 0;         ///< offset in the room's open batch at which it joined
        std::uint32_t walked_from = 0;  ///< the same in the batch that is being walked
    };

    /// Behind everyone else. Answers its index, which changes only by `compact`.
    std::uint32_t add(Who& who, std::uint32_t slot, std::uint32_t from) {
        members_.push_back({&who, slot, from, 0});
        ++live_;
        return static_cast<std::uint32_t>(members_.size() - 1);
    }

    void remove(std::uint32_t index) noexcept {
        SLUICE_ASSERT(index < members_.size() && members_[index].who != nullptr, "no member at {}", index);
        members_[index].who = nullptr;
        --live_;
        while (!walking_ && !members_.empty() && members_.back().who == nullptr)
            members_.pop_back();
    }

    [[nodiscard]] Member& at(std::uint32_t index) noexcept { return members_[index]; }
    /// Members; holes do not count.
    [[nodiscard]] std::uint32_t size() const noexcept { return live_; }
    [[nodiscard]] bool empty() const noexcept { return live_ == 0; }
    /// One behind the last index, holes included.
    [[nodiscard]] std::uint32_t end_index() const noexcept { return static_cast<std::uint32_t>(members_.size()); }

    /// Between these, indices stay as they are.
    void begin_walk() noexcept { walking_ = true; }
    void end_walk() noexcept { walking_ = false; }
    [[nodiscard]] bool walking() const noexcept { return walking_; }

    /// Closes the holes if there are more of them than members and no walk is in progress; calls
    /// `moved(member, new_index)` for each that got a new index.
    template <class Moved>
    void compact(Moved moved) {
        const std::size_t holes = members_.size() - live_;
        if (walking_ || holes <= kToleratedHoles || holes <= live_) return;
        std::uint32_t to = 0;
        for (std::uint32_t from = 0; from < members_.size(); ++from) {
            if (members_[from].who == nullptr) continue;
            if (from != to) {
                members_[to] = members_[from];
                moved(members_[to], to);
            }
            ++to;
        }
        members_.resize(to);
    }

private:
    static constexpr std::size_t kToleratedHoles = 16;
    std::vector<Member> members_;
    std::uint32_t live_ = 0;
    bool walking_ = false;
};

}  // namespace sluice::realtime
