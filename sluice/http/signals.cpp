#include "sluice/http/signals.hpp"

#include <cerrno>

#include <pthread.h>

#include "sluice/core/assert.hpp"

namespace sluice::http {

Signals::Signals() {
    sigemptyset(&taken_);
    sigaddset(&taken_, SIGINT);
    sigaddset(&taken_, SIGTERM);
    const int error = ::pthread_sigmask(SIG_BLOCK, &taken_, &before_);
    SLUICE_ASSERT(error == 0, "pthread_sigmask failed with {}", error);
}

Signals::~Signals() {
    release();
}

int Signals::wait() {
    int signal = 0;
    const int error = ::sigwait(&taken_, &signal);
    SLUICE_ASSERT(error == 0, "sigwait failed with {}", error);
    return signal;
}

std::optional<int> Signals::wait_for(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() < 0) return std::nullopt;
        timespec time{};
        time.tv_sec = left.count() / 1'000;
        time.tv_nsec = left.count() % 1'000 * 1'000'000;
        const int signal = ::sigtimedwait(&taken_, nullptr, &time);
        if (signal > 0) return signal;
        if (errno != EINTR) return std::nullopt;
    }
}

void Signals::release() noexcept {
    if (released_) return;
    released_ = true;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace sluice::http
