// What can go wrong with projections, as kinds that a caller branches on.
//
//     try { auto stock = co_await projections.read_required<StockLevel>("A-1"); }
//     catch (const projection::Error& e) { if (e.kind() == projection::ErrorKind::not_found) … else throw; }
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sluice/core/error.hpp"

namespace sluice::projection {

/// May grow: keep a default branch.
enum class ErrorKind : std::uint8_t {
    config,         ///< a name twice, an unknown projection, a setting that makes no sense: a person must act
    not_found,      ///< the key has no row
    state_version,  ///< the stored states have another shape than the program's: rebuild
    stored_state,   ///< a stored state does not decode or does not match its checksum
    conflict,       ///< somebody else wrote the key in between: run the unit again
    gone,           ///< the log no longer reaches back to where the projection began
    bad_event,      ///< an event that was given directly has no valid key, or `apply` threw
    limit,          ///< too many parked events, or a version at its end
    busy,           ///< a rebuild of this projection is running already
};

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;

/// `what()` starts with "projection 'name': ".
class Error : public core::Error {
public:
    Error(ErrorKind kind, std::string_view projection, const std::string& text, std::exception_ptr cause = nullptr);

    [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& projection() const noexcept { return projection_; }

private:
    ErrorKind kind_;
    std::string projection_;
};

}  // namespace sluice::projection
