// The parsed text: cells in the order of the text, a container directly before its contents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/json/node.hpp"

namespace sluice::core::json {

/// A piece of `Tree::characters`.
struct Slice {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
};

struct Cell {
    Kind kind = Kind::null;
    bool truth = false;       ///< of a boolean
    Slice name;               ///< of a member
    Slice text;               ///< characters of a string, digits of a number
    std::uint32_t count = 0;  ///< elements or members
    std::uint32_t next = 0;   ///< index of the cell behind this one and its contents
};

struct Tree {
    std::vector<Cell> cells;
    std::string characters;

    [[nodiscard]] std::string_view view(Slice slice) const noexcept {
        return std::string_view(characters).substr(slice.begin, slice.size);
    }
};

}  // namespace sluice::core::json
