#include "sluice/core/json/internal/read_state.hpp"

#include <iterator>

#include <fmt/format.h>

namespace sluice::core::json::internal {

bool ReadState::refuse(std::string message) {
    message_ = std::move(message);
    return false;
}

bool ReadState::refuse_kind(std::string_view wanted, Node found) {
    return refuse(fmt::format("expected {}, found {}", wanted, to_string(found.kind())));
}

bool ReadState::refuse_integer(std::string_view least, std::string_view most, std::string_view found) {
    return refuse(fmt::format("expected an integer from {} to {}, found {}", least, most, found));
}

bool ReadState::refuse_size(std::size_t wanted, std::size_t found) {
    return refuse(fmt::format("expected {} elements, found {}", wanted, found));
}

bool ReadState::refuse_enumerator(std::span<const std::string_view> names, Node found) {
    std::string list;
    for (const std::string_view name : names)
        fmt::format_to(std::back_inserter(list), "{}\"{}\"", list.empty() ? "" : ", ", name);
    return refuse(fmt::format("expected one of {}, found {}", list, found.text()));
}

bool ReadState::in_member(std::string_view name) {
    steps_.emplace_back(std::string(name));
    return false;
}

bool ReadState::in_element(std::size_t index) {
    steps_.emplace_back(index);
    return false;
}

bool ReadState::read_plain(Node node, bool& into) {
    const std::optional<bool> truth = node.boolean();
    if (!truth) return refuse_kind("a boolean", node);
    into = *truth;
    return true;
}

bool ReadState::read_plain(Node node, double& into) {
    if (node.kind() != Kind::integer && node.kind() != Kind::real) return refuse_kind("a number", node);
    const std::optional<double> number = node.number();
    if (!number) return refuse(fmt::format("{} does not fit a 64-bit floating-point number", node.number_text()));
    into = *number;
    return true;
}

bool ReadState::read_plain(Node node, std::string& into) {
    const std::optional<std::string_view> text = node.string();
    if (!text) return refuse_kind("a string", node);
    into.assign(*text);
    return true;
}

bool ReadState::read_plain(Node node, Raw& into) {
    into.text = node.text();
    return true;
}

DecodeError ReadState::error() const {
    DecodeError error{"$", message_};
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
        if (const auto* name = std::get_if<std::string>(&*step))
            append_member(error.path, *name);
        else
            append_element(error.path, std::get<std::size_t>(*step));
    }
    return error;
}

std::optional<Node> MemberReader::take(std::string_view name) {
    std::optional<Node> found;
    if (next_ != object_.end() && (*next_).name() == name)
        found = *next_++;
    else
        found = object_.find(name);
    if (found) ++taken_;
    return found;
}

}  // namespace sluice::core::json::internal
