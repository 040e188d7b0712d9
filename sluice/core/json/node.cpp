#include "sluice/core/json/node.hpp"

#include <charconv>
#include <unordered_map>

#include <fmt/format.h>

#include "sluice/core/json/internal/tree.hpp"
#include "sluice/core/json/writer.hpp"

namespace sluice::core::json {
namespace {

template <class Number>
std::optional<Number> read_number(std::string_view digits) noexcept {
    Number value{};
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
}

bool is_container(Kind kind) {
    return kind == Kind::array || kind == Kind::object;
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void write_node(Writer& writer, Node node) {
    switch (node.kind()) {
        case Kind::null:
            return writer.null();
        case Kind::boolean:
            return writer.value(*node.boolean());
        case Kind::integer:
        case Kind::real:
            return writer.raw(node.number_text());
        case Kind::string:
            return writer.value(*node.string());
        case Kind::array:
            writer.begin_array();
            break;
        case Kind::object:
            writer.begin_object();
            break;
    }
    for (const Node child : node) {
        if (node.kind() == Kind::object) writer.key(child.name());
        write_node(writer, child);
    }
    node.kind() == Kind::array ? writer.end_array() : writer.end_object();
}

bool same_elements(Node left, Node right) {
    auto other = right.begin();
    for (const Node element : left) {
        if (!element.equals(*other)) return false;
        ++other;
    }
    return true;
}

bool same_members(Node left, Node right) {
    std::unordered_map<std::string_view, Node> others;
    for (const Node member : right)
        others.emplace(member.name(), member);
    for (const Node member : left) {
        const auto other = others.find(member.name());
        if (other == others.end() || !member.equals(other->second)) return false;
    }
    return true;
}

}  // namespace

std::string to_string(const DecodeError& error) {
    return error.path + ": " + error.message;
}

void append_member(std::string& path, std::string_view name) {
    bool plain = !name.empty() && !(name.front() >= '0' && name.front() <= '9');
    for (const char c : name)
        plain = plain && is_name_character(c);
    if (plain) {
        path += '.';
        path += name;
        return;
    }
    path += '[';
    Writer(path, BadText::replace).value(name);
    path += ']';
}

void append_element(std::string& path, std::size_t index) {
    fmt::format_to(std::back_inserter(path), "[{}]", index);
}

std::string_view to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::null:
            return "null";
        case Kind::boolean:
            return "a boolean";
        case Kind::integer:
            return "an integer";
        case Kind::real:
            return "a number with a fraction or an exponent";
        case Kind::string:
            return "a string";
        case Kind::array:
            return "an array";
        case Kind::object:
            return "an object";
    }
    return "?";
}

Kind Node::kind() const noexcept {
    return tree_->cells[index_].kind;
}

std::string_view Node::name() const noexcept {
    return tree_->view(tree_->cells[index_].name);
}

std::optional<bool> Node::boolean() const noexcept {
    if (kind() != Kind::boolean) return std::nullopt;
    return tree_->cells[index_].truth;
}

std::optional<std::int64_t> Node::integer() const noexcept {
    if (kind() != Kind::integer) return std::nullopt;
    return read_number<std::int64_t>(number_text());
}

std::optional<std::uint64_t> Node::unsigned_integer() const noexcept {
    if (kind() != Kind::integer) return std::nullopt;
    return read_number<std::uint64_t>(number_text());
}

std::optional<double> Node::number() const noexcept {
    return read_number<double>(number_text());
}

std::optional<std::string_view> Node::string() const noexcept {
    if (kind() != Kind::string) return std::nullopt;
    return tree_->view(tree_->cells[index_].text);
}

std::size_t Node::size() const noexcept {
    return tree_->cells[index_].count;
}

std::optional<Node> Node::find(std::string_view name) const noexcept {
    if (kind() != Kind::object) return std::nullopt;
    for (const Node member : *this)
        if (member.name() == name) return member;
    return std::nullopt;
}

Node::Iterator& Node::Iterator::operator++() noexcept {
    index_ = tree_->cells[index_].next;
    return *this;
}

Node::Iterator Node::begin() const noexcept {
    return is_container(kind()) ? Iterator(tree_, index_ + 1) : end();
}

Node::Iterator Node::end() const noexcept {
    return Iterator(tree_, tree_->cells[index_].next);
}

std::string_view Node::number_text() const noexcept {
    const Cell& cell = tree_->cells[index_];
    return cell.kind == Kind::integer || cell.kind == Kind::real ? tree_->view(cell.text) : std::string_view();
}

std::string Node::text() const {
    std::string out;
    Writer writer(out);
    write_node(writer, *this);
    return out;
}

bool Node::equals(Node other) const {
    if (kind() != other.kind() || size() != other.size()) return false;
    switch (kind()) {
        case Kind::null:
            return true;
        case Kind::boolean:
            return boolean() == other.boolean();
        case Kind::integer:
        case Kind::real:
            return number_text() == other.number_text();
        case Kind::string:
            return string() == other.string();
        case Kind::array:
            return same_elements(*this, other);
        case Kind::object:
            return same_members(*this, other);
    }
    return false;
}

Document::Document(std::unique_ptr<const Tree> tree) noexcept : tree_(std::move(tree)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

std::expected<std::string, DecodeError> compact(std::string_view text, const Limits& limits) {
    const std::expected<Document, DecodeError> document = parse(text, limits);
    if (!document) return std::unexpected(document.error());
    return document->root().text();
}

}  // namespace sluice::core::json
