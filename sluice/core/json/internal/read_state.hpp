// The parts of decoding that no type parameter touches.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sluice/core/json/limits.hpp"
#include "sluice/core/json/node.hpp"
#include "sluice/core/json/raw.hpp"

namespace sluice::core::json::internal {

/// Where decoding failed, collected from the inside out. Every refusal answers false, so that it can be returned.
class ReadState {
public:
    explicit ReadState(const Limits& limits) : ignore_unknown_(limits.ignore_unknown) {}

    bool refuse(std::string message);
    bool refuse_kind(std::string_view wanted, Node found);
    bool refuse_integer(std::string_view least, std::string_view most, std::string_view found);
    bool refuse_size(std::size_t wanted, std::size_t found);
    bool refuse_enumerator(std::span<const std::string_view> names, Node found);
    bool in_member(std::string_view name);
    bool in_element(std::size_t index);

    bool read_plain(Node node, bool& into);
    bool read_plain(Node node, double& into);
    bool read_plain(Node node, std::string& into);
    bool read_plain(Node node, Raw& into);

    [[nodiscard]] bool ignores_unknown() const noexcept { return ignore_unknown_; }
    [[nodiscard]] DecodeError error() const;

private:
    bool ignore_unknown_;
    std::string message_;
    std::vector<std::variant<std::string, std::size_t>> steps_;  // innermost first
};

/// Looks members up in any order, fastest in the order of the text, and counts them.
class MemberReader {
public:
    explicit MemberReader(Node object) : object_(object), next_(object.begin()) {}

    std::optional<Node> take(std::string_view name);
    [[nodiscard]] bool all_taken() const noexcept { return taken_ == object_.size(); }

private:
    Node object_;
    Node::Iterator next_;
    std::size_t taken_ = 0;
};

}  // namespace sluice::core::json::internal
