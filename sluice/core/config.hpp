// Configuration: options declared by the program, values from a TOML file, the environment and flags; see docs/core.md.
#pragma once

#include "sluice/core/config/schema.hpp"
#include "sluice/core/config/settings.hpp"
#include "sluice/core/config/value.hpp"
