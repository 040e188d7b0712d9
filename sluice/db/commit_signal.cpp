#include "sluice/db/commit_signal.hpp"

#include <utility>

namespace sluice::db {

CommitSignal::Listening& CommitSignal::Listening::operator=(Listening&& other) noexcept {
    if (this != &other) {
        end();
        signal_ = std::move(other.signal_);
        id_ = other.id_;
    }
    return *this;
}

void CommitSignal::Listening::end() noexcept {
    const std::shared_ptr<CommitSignal> signal = std::exchange(signal_, {}).lock();
    if (!signal) return;
    const std::scoped_lock lock(signal->mutex_);
    signal->listeners_.erase(id_);
}

CommitSignal::Listening CommitSignal::listen(Listener listener) {
    const std::scoped_lock lock(mutex_);
    listeners_.emplace(++last_, std::move(listener));
    return {weak_from_this(), last_};
}

void CommitSignal::raise() noexcept {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, listener] : listeners_)
        listener();
}

}  // namespace sluice::db
