#include "sluice/outbox/error.hpp"

#include <fmt/format.h>

namespace sluice::outbox {
namespace {

std::string headline(ErrorKind kind, std::string_view source, const std::string& text) {
    if (source.empty()) return fmt::format("outbox: {}: {}", to_string(kind), text);
    return fmt::format("outbox of {}: {}: {}", source, to_string(kind), text);
}

}  // namespace

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::config:
            return "config";
        case ErrorKind::bad_message:
            return "bad_message";
        case ErrorKind::gone:
            return "gone";
        case ErrorKind::not_found:
            return "not_found";
        case ErrorKind::conflict:
            return "conflict";
        case ErrorKind::corrupt:
            return "corrupt";
    }
    return "unknown";
}

Error::Error(ErrorKind kind, std::string_view source, const std::string& text, std::exception_ptr cause)
    : core::Error(headline(kind, source, text), std::move(cause)), kind_(kind) {}

}  // namespace sluice::outbox
