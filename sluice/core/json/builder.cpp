#include "sluice/core/json/internal/builder.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace sluice::core::json {
namespace {

constexpr std::int64_t kLargestSafeInteger = (std::int64_t{1} << 53) - 1;
constexpr std::size_t kFewNames = 12;  // comparing each with each is cheaper than sorting up to here

bool is_safe_integer(std::string_view digits) {
    std::int64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return read.ec == std::errc{} && value >= -kLargestSafeInteger && value <= kLargestSafeInteger;
}

std::optional<std::string_view> first_duplicate(std::span<std::string_view> names) {
    if (names.size() <= kFewNames) {
        for (std::size_t i = 1; i < names.size(); ++i) {
            const auto before = names.first(i);
            if (std::ranges::find(before, names[i]) != before.end()) return names[i];
        }
        return std::nullopt;
    }
    std::sort(names.begin(), names.end());
    const auto twin = std::adjacent_find(names.begin(), names.end());
    if (twin == names.end()) return std::nullopt;
    return *twin;
}

}  // namespace

TreeBuilder::TreeBuilder(const Limits& limits, std::size_t text_bytes)
    : tree_(std::make_unique<Tree>()), safe_integers_(limits.safe_integers) {
    tree_->characters.reserve(text_bytes);
    tree_->cells.reserve(text_bytes / 16 + 1);
}

Cell& TreeBuilder::add(Kind kind) {
    Cell& cell = tree_->cells.emplace_back();
    cell.kind = kind;
    if (pending_name_) cell.name = *std::exchange(pending_name_, std::nullopt);
    return cell;
}

bool TreeBuilder::finish() {
    tree_->cells.back().next = static_cast<std::uint32_t>(tree_->cells.size());
    if (!open_.empty()) ++open_.back().seen;
    return true;
}

Slice TreeBuilder::take_text() noexcept {
    const auto end = static_cast<std::uint32_t>(tree_->characters.size());
    const std::uint32_t begin = std::exchange(text_begin_, end);
    return Slice{begin, end - begin};
}

bool TreeBuilder::begin(Kind container) {
    add(container);
    open_.push_back(Open{static_cast<std::uint32_t>(tree_->cells.size() - 1), 0});
    return true;
}

bool TreeBuilder::end(std::size_t count) {
    const Open closing = open_.back();
    Cell& cell = tree_->cells[closing.cell];
    cell.count = static_cast<std::uint32_t>(count);
    cell.next = static_cast<std::uint32_t>(tree_->cells.size());
    if (cell.kind == Kind::object && count > 1 && !names_are_unique(cell, closing.cell + 1)) return false;
    open_.pop_back();
    if (!open_.empty()) ++open_.back().seen;
    return true;
}

void TreeBuilder::text_part(std::string_view part) {
    tree_->characters += part;
}

void TreeBuilder::name_end() {
    pending_name_ = take_text();
}

bool TreeBuilder::string_end() {
    const Slice text = take_text();
    add(Kind::string).text = text;
    return finish();
}

bool TreeBuilder::number_end() {
    const Slice text = take_text();
    const std::string_view digits = tree_->view(text);
    const bool whole = digits.find_first_of(".eE") == std::string_view::npos;
    if (whole && safe_integers_ && !is_safe_integer(digits))
        return refuse(path(), fmt::format("{} is beyond 2^53-1, the largest integer that JavaScript holds", digits));
    add(whole ? Kind::integer : Kind::real).text = text;
    return finish();
}

bool TreeBuilder::boolean(bool truth) {
    add(Kind::boolean).truth = truth;
    return finish();
}

bool TreeBuilder::null() {
    add(Kind::null);
    return finish();
}

bool TreeBuilder::names_are_unique(const Cell& object, std::uint32_t first) {
    boost::container::small_vector<std::string_view, kFewNames> names;
    for (std::uint32_t at = first; at < object.next; at = tree_->cells[at].next)
        names.push_back(tree_->view(tree_->cells[at].name));
    const std::optional<std::string_view> twin = first_duplicate(names);
    if (!twin) return true;
    open_.pop_back();  // so that path() names the object
    pending_name_ = object.name.size > 0 ? std::optional(object.name) : std::nullopt;
    std::string where = path();
    append_member(where, *twin);
    return refuse(std::move(where), "the name appears twice");
}

std::string TreeBuilder::path() const {
    std::string path = "$";
    for (std::size_t i = 0; i < open_.size(); ++i) {
        const Cell& container = tree_->cells[open_[i].cell];
        const bool last = i + 1 == open_.size();
        if (container.kind == Kind::array)
            append_element(path, open_[i].seen);
        else if (!last)
            append_member(path, tree_->view(tree_->cells[open_[i + 1].cell].name));
        else if (pending_name_)
            append_member(path, tree_->view(*pending_name_));
    }
    return path;
}

bool TreeBuilder::refuse(std::string path, std::string message) {
    error_ = DecodeError{std::move(path), std::move(message)};
    return false;
}

}  // namespace sluice::core::json
