// Builds a Tree from the events of Boost.JSON's parser and refuses what that parser lets pass: duplicate names and
// integers that JavaScript cannot hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <boost/container/small_vector.hpp>

#include "sluice/core/json/internal/tree.hpp"

namespace sluice::core::json {

/// Each call answers whether to go on; after a false one `error` says why.
class TreeBuilder {
public:
    explicit TreeBuilder(const Limits& limits, std::size_t text_bytes);

    bool begin(Kind container);
    bool end(std::size_t count);
    void text_part(std::string_view part);
    void name_end();
    bool string_end();
    bool number_end();
    bool boolean(bool truth);
    bool null();

    [[nodiscard]] const std::optional<DecodeError>& error() const noexcept { return error_; }
    /// Path of the value that would come next; for errors of the parser.
    [[nodiscard]] std::string path() const;
    [[nodiscard]] std::unique_ptr<Tree> take() noexcept { return std::move(tree_); }

private:
    struct Open {
        std::uint32_t cell = 0;
        std::size_t seen = 0;  ///< contents finished so far
    };

    Cell& add(Kind kind);
    bool finish();
    Slice take_text() noexcept;
    bool names_are_unique(const Cell& object, std::uint32_t first);
    bool refuse(std::string path, std::string message);

    std::unique_ptr<Tree> tree_;
    boost::container::small_vector<Open, 8> open_;
    std::optional<Slice> pending_name_;
    std::uint32_t text_begin_ = 0;
    bool safe_integers_;
    std::optional<DecodeError> error_;
};

}  // namespace sluice::core::json
