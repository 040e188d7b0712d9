// A parsed JSON text to walk without a struct, for protocols whose shape depends on a member's value.
//
//     auto document = core::json::parse(R"({"op":"sub","id":7})");
//     if (!document) return core::json::to_string(document.error());
//     std::optional<core::json::Node> op = document->root().find("op");
//     if (op && op->string() == "sub") …
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/core/json/limits.hpp"

namespace sluice::core::json {

enum class Kind : std::uint8_t { null, boolean, integer, real, string, array, object };

/// "an object", "a string", "null", … for messages.
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;

struct Tree;

/// One value of a Document, which must outlive it. Cheap to copy. Immutable, so any thread may read.
class Node {
public:
    [[nodiscard]] Kind kind() const noexcept;
    [[nodiscard]] bool is_null() const noexcept { return kind() == Kind::null; }
    /// The name under which an object holds this value; empty elsewhere.
    [[nodiscard]] std::string_view name() const noexcept;

    /// The value, or nothing if it is of another kind or out of the type's range. `number` takes integers too.
    [[nodiscard]] std::optional<bool> boolean() const noexcept;
    [[nodiscard]] std::optional<std::int64_t> integer() const noexcept;
    [[nodiscard]] std::optional<std::uint64_t> unsigned_integer() const noexcept;
    [[nodiscard]] std::optional<double> number() const noexcept;
    [[nodiscard]] std::optional<std::string_view> string() const noexcept;

    /// Elements or members; 0 for everything else.
    [[nodiscard]] std::size_t size() const noexcept;
    /// The member called `name`; nothing if there is none or this is no object. Linear.
    [[nodiscard]] std::optional<Node> find(std::string_view name) const noexcept;

    /// Walks elements or members in the order of the text.
    class Iterator {
    public:
        using value_type = Node;
        using difference_type = std::ptrdiff_t;
        using iterator_concept = std::forward_iterator_tag;

        Iterator() = default;
        [[nodiscard]] Node operator*() const noexcept { return Node(tree_, index_); }
        Iterator& operator++() noexcept;
        Iterator operator++(int) noexcept {
            const Iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const Iterator&, const Iterator&) = default;

    private:
        friend class Node;
        Iterator(const Tree* tree, std::uint32_t index) noexcept : tree_(tree), index_(index) {}
        const Tree* tree_ = nullptr;
        std::uint32_t index_ = 0;
    };
    [[nodiscard]] Iterator begin() const noexcept;
    [[nodiscard]] Iterator end() const noexcept;

    /// The digits of a number as they stood in the text; empty for everything else.
    [[nodiscard]] std::string_view number_text() const noexcept;
    /// This value as JSON without spaces: members and numbers as they stood, strings escaped canonically.
    [[nodiscard]] std::string text() const;

    /// Whether both hold the same value: objects regardless of order, numbers by their digits.
    [[nodiscard]] bool equals(Node other) const;

private:
    friend class Document;
    friend class Iterator;
    Node(const Tree* tree, std::uint32_t index) noexcept : tree_(tree), index_(index) {}

    const Tree* tree_;
    std::uint32_t index_;
};

/// Owns a parsed text.
class Document {
public:
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    [[nodiscard]] Node root() const noexcept { return Node(tree_.get(), 0); }

private:
    friend std::expected<Document, DecodeError> parse(std::string_view text, const Limits& limits);
    explicit Document(std::unique_ptr<const Tree> tree) noexcept;
    std::unique_ptr<const Tree> tree_;
};

/// Strict: RFC 8259 to the letter, valid UTF-8 and surrogate pairs, no byte order mark, no duplicate names, nothing
/// behind the value, and within `limits`. Never throws but for lack of memory.
[[nodiscard]] std::expected<Document, DecodeError> parse(std::string_view text, const Limits& limits = {});

/// Parses and writes again without spaces.
[[nodiscard]] std::expected<std::string, DecodeError> compact(std::string_view text, const Limits& limits = {});

}  // namespace sluice::core::json
