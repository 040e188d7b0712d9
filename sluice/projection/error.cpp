#include "sluice/projection/error.hpp"

#include <fmt/format.h>

namespace sluice::projection {

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::config:
            return "config";
        case ErrorKind::not_found:
            return "not_found";
        case ErrorKind::state_version:
            return "state_version";
        case ErrorKind::stored_state:
            return "stored_state";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::gone:
            return "gone";
        case ErrorKind::bad_event:
            return "bad_event";
        case ErrorKind::limit:
            return "limit";
        case ErrorKind::busy:
            return "busy";
    }
    return "unknown";
}

Error::Error(ErrorKind kind, std::string_view projection, const std::string& text, std::exception_ptr cause)
    : core::Error(fmt::format("projection '{}': {}", projection, text), std::move(cause)),
      kind_(kind),
      projection_(projection) {}

}  // namespace sluice::projection
