#include "sluice/runtime/bulkhead.hpp"

#include <utility>

#include "sluice/core/assert.hpp"

namespace sluice::runtime {

PermitPool::PermitPool(std::uint32_t size) : size_(size), free_(size) {
    SLUICE_ASSERT(size >= 1, "a pool of {} permits", size);
}

PermitPool::~PermitPool() {
    SLUICE_ASSERT(free_ == size_ && waiting_.empty(), "a pool is destroyed with {} of {} permits out and {} waiting",
                  size_ - free_, size_, waiting_.size());
}

bool PermitPool::take() noexcept {
    if (free_ == 0) return false;
    --free_;
    return true;
}

void PermitPool::give_back() {
    if (waiting_.empty()) {
        ++free_;
        return;
    }
    waiting_.front()->grant(*this);
}

Bulkhead Bulkhead::fixed(std::shared_ptr<PermitPool> pool) {
    Bulkhead made;
    made.first_ = std::move(pool);
    return made;
}

Bulkhead Bulkhead::tiered(std::shared_ptr<PermitPool> guaranteed, std::shared_ptr<PermitPool> shared) {
    Bulkhead made;
    made.first_ = std::move(shared);
    made.second_ = std::move(guaranteed);
    return made;
}

Permit::Permit(const Bulkhead& bulkhead, std::function<void()> on_grant)
    : bulkhead_(bulkhead), on_grant_(std::move(on_grant)) {
    if (!bulkhead_.first_) {
        granted_ = true;
        return;
    }
    for (PermitPool* pool : {bulkhead_.first_.get(), bulkhead_.second_.get()}) {
        if (granted_ || pool == nullptr || !pool->take()) continue;
        holds_ = pool;
        granted_ = true;
    }
    if (granted_) return;
    bulkhead_.first_->waiting_.push_back(this);
    if (bulkhead_.second_) bulkhead_.second_->waiting_.push_back(this);
}

Permit::~Permit() {
    leave_queues();
    if (holds_ != nullptr) holds_->give_back();
}

void Permit::grant(PermitPool& by) {
    leave_queues();
    holds_ = &by;
    granted_ = true;
    on_grant_();
}

void Permit::leave_queues() {
    if (granted_) return;
    std::erase(bulkhead_.first_->waiting_, this);
    if (bulkhead_.second_) std::erase(bulkhead_.second_->waiting_, this);
}

}  // namespace sluice::runtime
