// A value that many read without a lock while one at a time changes it: two copies, readers are counted in and out of
// the one they read, a change goes to the copy nobody reads, then to the other.
//
//     LeftRight<Map> map;
//     map.change([&](Map& copy) { copy.emplace(name, source); });   // called once per copy
//     auto found = map.read([&](const Map& copy) { return copy.at(name); });
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

namespace sluice::db::internal {

/// Thread-safe. A read never waits; it starts again when a change switches copies at that instant.
template <class T>
class LeftRight {
public:
    /// Answers what `look` answers; it must not keep references into the copy, nor call `change`.
    template <class Look>
    auto read(Look look) const {
        const Reading reading(*this);
        return look(copies_[reading.copy()]);
    }

    /// Calls `edit` for both copies, one change at a time. It must do the same to both and must not throw the second
    /// time.
    template <class Edit>
    void change(Edit edit) {
        const std::lock_guard lock(writers_);
        const std::size_t old = current_.load();
        edit(copies_[1 - old]);  // nobody reads it: the change before waited for that
        current_.store(1 - old);
        while (readers_[old].load() != 0)
            std::this_thread::yield();
        edit(copies_[old]);
    }

private:
    class Reading {
    public:
        explicit Reading(const LeftRight& owner) : owner_(owner) {
            for (;;) {
                copy_ = owner_.current_.load();
                owner_.readers_[copy_].fetch_add(1);
                if (owner_.current_.load() == copy_) return;
                owner_.readers_[copy_].fetch_sub(1);  // it was switched meanwhile and may be about to change
            }
        }
        ~Reading() { owner_.readers_[copy_].fetch_sub(1); }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
        [[nodiscard]] std::size_t copy() const noexcept { return copy_; }

    private:
        const LeftRight& owner_;
        std::size_t copy_ = 0;
    };

    std::array<T, 2> copies_{};
    std::atomic<std::size_t> current_{0};
    mutable std::array<std::atomic<std::int64_t>, 2> readers_{};
    std::mutex writers_;
};

}  // namespace sluice::db::internal
