#include "sluice/core/json/merge_patch.hpp"

#include <unordered_map>
#include <utility>

#include "sluice/core/json/node.hpp"
#include "sluice/core/json/writer.hpp"

namespace sluice::core::json {
namespace {

// Members by name. Texts of one type mostly agree in order, so the next member is tried before the table is built.
class MemberIndex {
public:
    explicit MemberIndex(Node object) : object_(object), next_(object.begin()) {}

    std::optional<Node> find(std::string_view name) {
        if (next_ != object_.end() && (*next_).name() == name) return *next_++;
        if (table_.empty())
            for (const Node member : object_)
                table_.emplace(member.name(), member);
        const auto found = table_.find(name);
        return found == table_.end() ? std::nullopt : std::optional(found->second);
    }

private:
    Node object_;
    Node::Iterator next_;
    std::unordered_map<std::string_view, Node> table_;
};

// The path of a null inside an object of `value`, which no patch can set.
std::optional<std::string> null_member(Node value, const std::string& path) {
    if (value.kind() != Kind::object) return std::nullopt;
    for (const Node member : value) {
        std::string here = path;
        append_member(here, member.name());
        if (member.is_null()) return here;
        if (std::optional<std::string> deeper = null_member(member, here)) return deeper;
    }
    return std::nullopt;
}

class Differ {
public:
    explicit Differ(Writer& writer) : writer_(writer) {}

    // Writes `{…}`; both are objects.
    void write(Node before, Node after, const std::string& path) {
        writer_.begin_object();
        MemberIndex old_members(before);
        for (const Node member : after) {
            std::string here = path;
            append_member(here, member.name());
            write_member(old_members.find(member.name()), member, here);
        }
        MemberIndex new_members(after);
        for (const Node member : before) {
            if (new_members.find(member.name())) continue;
            writer_.key(member.name());
            writer_.null();
        }
        writer_.end_object();
    }

    void write_value(Node value, const std::string& path) {
        const std::optional<std::string> bad = value.is_null() ? path : null_member(value, path);
        if (bad && !error_) error_ = DecodeError{*bad, "a merge patch cannot set a member to null"};
        writer_.raw(value.text());
    }

    const std::optional<DecodeError>& error() const { return error_; }

private:
    void write_member(std::optional<Node> before, Node after, const std::string& path) {
        if (before && before->equals(after)) return;
        writer_.key(after.name());
        if (before && before->kind() == Kind::object && after.kind() == Kind::object)
            write(*before, after, path);
        else
            write_value(after, path);
    }

    Writer& writer_;
    std::optional<DecodeError> error_;
};

void write_without_nulls(Writer& writer, Node patch);

void write_patched(Writer& writer, Node before, Node patch) {
    if (patch.kind() != Kind::object) return writer.raw(patch.text());
    if (before.kind() != Kind::object) return write_without_nulls(writer, patch);
    writer.begin_object();
    MemberIndex changes(patch);
    for (const Node member : before) {
        const std::optional<Node> change = changes.find(member.name());
        if (change && change->is_null()) continue;
        writer.key(member.name());
        if (change)
            write_patched(writer, member, *change);
        else
            writer.raw(member.text());
    }
    MemberIndex old_members(before);
    for (const Node change : patch) {
        if (change.is_null() || old_members.find(change.name())) continue;
        writer.key(change.name());
        write_without_nulls(writer, change);
    }
    writer.end_object();
}

// A patch applied to nothing: RFC 7396 drops the nulls at every level of its objects.
void write_without_nulls(Writer& writer, Node patch) {
    if (patch.kind() != Kind::object) return writer.raw(patch.text());
    writer.begin_object();
    for (const Node member : patch) {
        if (member.is_null()) continue;
        writer.key(member.name());
        write_without_nulls(writer, member);
    }
    writer.end_object();
}

}  // namespace

std::expected<std::string, DecodeError> merge_patch_text(std::string_view before, std::string_view after,
                                                         const Limits& limits) {
    const auto old_document = parse(before, limits);
    if (!old_document) return std::unexpected(old_document.error());
    const auto new_document = parse(after, limits);
    if (!new_document) return std::unexpected(new_document.error());
    const Node old_root = old_document->root();
    const Node new_root = new_document->root();
    if (new_root.kind() != Kind::object) return new_root.text();
    std::string out;
    Writer writer(out);
    Differ differ(writer);
    if (old_root.kind() == Kind::object)
        differ.write(old_root, new_root, "$");
    else
        differ.write_value(new_root, "$");
    if (differ.error()) return std::unexpected(*differ.error());
    return out;
}

std::expected<std::string, DecodeError> apply_merge_patch(std::string_view before, std::string_view patch,
                                                          const Limits& limits) {
    const auto old_document = parse(before, limits);
    if (!old_document) return std::unexpected(old_document.error());
    const auto patch_document = parse(patch, limits);
    if (!patch_document) return std::unexpected(patch_document.error());
    std::string out;
    Writer writer(out);
    write_patched(writer, old_document->root(), patch_document->root());
    return out;
}

}  // namespace sluice::core::json
