#include "sluice/outbox/message.hpp"

#include <fmt/format.h>

namespace sluice::outbox {

std::string Message::idempotency_key() const {
    return fmt::format("{}/{}/{}/{}", queue, lane, ledger_epoch, sequence);
}

}  // namespace sluice::outbox
