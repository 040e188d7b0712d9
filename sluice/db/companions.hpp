// What other modules keep beside a data source for as long as it lives: one object per type, made when it is first
// asked for.
//
//     auto numbers = source.companions()->get<QueueNumbers>();
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <typeindex>
#include <typeinfo>

namespace sluice::db {

/// Thread-safe; what the objects do is their own affair.
class Companions {
public:
    template <class T>
    [[nodiscard]] std::shared_ptr<T> get() {
        const std::scoped_lock lock(mutex_);
        std::shared_ptr<void>& kept = by_type_[typeid(T)];
        if (!kept) kept = std::make_shared<T>();
        return std::static_pointer_cast<T>(kept);
    }

private:
    std::mutex mutex_;
    std::map<std::type_index, std::shared_ptr<void>> by_type_;  // guarded by mutex_; shared with whoever asked
};

}  // namespace sluice::db
