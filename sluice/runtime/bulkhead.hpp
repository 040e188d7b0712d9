// How many workers may run at once. Permits are handed out in the order of asking and given back by destruction.
//
//     auto shared = std::make_shared<runtime::PermitPool>(1);
//     const auto sequencers = runtime::Bulkhead::tiered(std::make_shared<runtime::PermitPool>(2), shared);
//     const auto retention = runtime::Bulkhead::fixed(shared);
//     runtime::Permit permit(retention, [&] { wake.notify(); });
//     if (permit.granted()) …
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

namespace sluice::runtime {

class Permit;

/// A number of permits and the queue of those who wait for one. On one shard.
class PermitPool {
public:
    /// `size` >= 1.
    explicit PermitPool(std::uint32_t size);
    /// Nobody holds or awaits a permit any more.
    ~PermitPool();
    PermitPool(const PermitPool&) = delete;
    PermitPool& operator=(const PermitPool&) = delete;

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t free() const noexcept { return free_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

private:
    friend class Permit;
    bool take() noexcept;
    void give_back();

    std::uint32_t size_;
    std::uint32_t free_;           // > 0 only while nobody waits
    std::deque<Permit*> waiting_;  // the longest wait first; a waiter takes itself out when it goes
};

/// From which pools a kind of worker is served. A handle; copies share the pools.
class Bulkhead {
public:
    /// Everybody runs at once.
    [[nodiscard]] static Bulkhead unlimited() { return {}; }
    [[nodiscard]] static Bulkhead fixed(std::shared_ptr<PermitPool> pool);
    /// A permit of `shared` if one is free, else one of `guaranteed`, which other kinds cannot use up; else the first
    /// of either that becomes free.
    [[nodiscard]] static Bulkhead tiered(std::shared_ptr<PermitPool> guaranteed, std::shared_ptr<PermitPool> shared);

private:
    friend class Permit;
    Bulkhead() = default;

    std::shared_ptr<PermitPool> first_;   // shared by the workers that it limits, like the next
    std::shared_ptr<PermitPool> second_;  // null unless tiered
};

/// A place in the queue, then a permit, until destruction. On the shard of its pools; stays where it was made.
class Permit {
public:
    /// Takes a permit or queues up. `on_grant` is called once if it had to wait, from within the destruction of another
    /// permit, so it must only wake somebody.
    Permit(const Bulkhead& bulkhead, std::function<void()> on_grant);
    /// Gives the permit back to who waits longest, or leaves the queue.
    ~Permit();
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;

    [[nodiscard]] bool granted() const noexcept { return granted_; }

private:
    friend class PermitPool;
    void grant(PermitPool& by);
    void leave_queues();

    Bulkhead bulkhead_;
    std::function<void()> on_grant_;
    PermitPool* holds_ = nullptr;
    bool granted_ = false;
};

}  // namespace sluice::runtime
