// How many files and connections the process may have open.
#pragma once

#include <cstdint>

namespace sluice::app::internal {

/// Raises the soft limit of open files to the hard one and answers what holds now. Shells start programs with a soft
/// limit of 1,024 for the sake of select(), which nothing here uses; a server would refuse its thousandth screen.
std::uint64_t raise_open_files() noexcept;

}  // namespace sluice::app::internal
