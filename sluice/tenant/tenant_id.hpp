// The name of a tenant: `[a-z0-9][a-z0-9_]{0,47}`, checked once where it comes in.
//
//     std::optional<tenant::TenantId> id = tenant::TenantId::parse("shop_a");
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::tenant {

/// A checked tenant id; two are equal byte for byte.
class TenantId {
public:
    /// Nothing unless `text` follows the grammar.
    [[nodiscard]] static std::optional<TenantId> parse(std::string_view text);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

    friend auto operator<=>(const TenantId&, const TenantId&) = default;

private:
    explicit TenantId(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

}  // namespace sluice::tenant

template <>
struct std::hash<sluice::tenant::TenantId> {
    std::size_t operator()(const sluice::tenant::TenantId& id) const noexcept {
        return std::hash<std::string>{}(id.text());
    }
};
