// What can go wrong with the outbox, as kinds that a caller branches on. Failures of the database stay db::Error.
//
//     try { co_await outbox.read_log(from, to, 1'000); }
//     catch (const outbox::Error& e) { if (e.kind() == outbox::ErrorKind::gone) rebuild_otherwise(); else throw; }
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "sluice/core/error.hpp"

namespace sluice::outbox {

/// May grow: keep a default branch.
enum class ErrorKind : std::uint8_t {
    config,       ///< a setting, a queue or a subscription that cannot work: a person must act
    bad_message,  ///< a message outside the limits; nothing was written
    gone,         ///< the range asked for begins before the oldest message kept
    not_found,    ///< unknown queue, subscription or claim
    conflict,     ///< the state asked for does not fit: a claim that another one holds, a letter in another state
    corrupt,      ///< the ledger and the messages disagree, or a row does not decode
};

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;

/// `what()` starts with "outbox", the data source's name where one is known, and the kind.
class Error : public core::Error {
public:
    Error(ErrorKind kind, std::string_view source, const std::string& text, std::exception_ptr cause = nullptr);

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

private:
    ErrorKind kind_;
};

}  // namespace sluice::outbox
