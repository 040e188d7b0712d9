// Short ways to make db::Error.
#pragma once

#include <string>
#include <string_view>

#include "sluice/db/error.hpp"

namespace sluice::db::internal {

[[nodiscard]] inline Error failure(ErrorKind kind, std::string_view source, std::string message,
                                   std::exception_ptr cause = nullptr) {
    ErrorDetails details;
    details.source = source;
    details.message = std::move(message);
    return Error(kind, std::move(details), std::move(cause));
}

}  // namespace sluice::db::internal
