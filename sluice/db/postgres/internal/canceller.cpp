#include "sluice/db/postgres/internal/canceller.hpp"

#include <array>
#include <utility>

namespace sluice::db::postgres {

void Canceller::request(CancelRequest what, std::function<void()> done) {
    thread_.post([what = std::move(what), done = std::move(done)] {
        std::array<char, 256> reason{};
        // A server that cannot be told goes on; the connection's own limit then gives it up.
        static_cast<void>(PQcancel(what.get(), reason.data(), static_cast<int>(reason.size())));
        done();
    });
}

}  // namespace sluice::db::postgres
