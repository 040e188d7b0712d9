// Which web pages may change things here. A browser says in `Origin` which page sends a request; anything else sends
// none.
//
//     const OriginPolicy policy({"https://shop.example", "http://localhost:5173"});
//     policy.judge("https://evil.example", "shop.example") == OriginVerdict::refused
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::http {

enum class OriginVerdict : std::uint8_t {
    absent,   ///< no Origin: not a browser, or a navigation; there is no page to protect against
    same,     ///< the page came from the host that the request names
    allowed,  ///< listed
    refused,
};

/// A serialized origin (`https://shop.example:8443`) with lower-case scheme and host and no default port; nothing for
/// anything else, `null` included.
[[nodiscard]] std::optional<std::string> normal_origin(std::string_view text);

/// Immutable; may be read from any shard.
class OriginPolicy {
public:
    /// No page but those of the host itself.
    OriginPolicy() = default;
    /// `allowed` are compared exactly: scheme, host and port, no wildcards. Throws std::invalid_argument naming one
    /// that is no origin.
    explicit OriginPolicy(const std::vector<std::string>& allowed);

    /// `origin` and `host` as the headers of a request gave them. `same` compares host and port: behind a proxy that
    /// ends TLS the server does not know its own scheme.
    [[nodiscard]] OriginVerdict judge(std::optional<std::string_view> origin, std::string_view host) const;

    [[nodiscard]] bool lists_any() const noexcept { return !allowed_.empty(); }

private:
    std::vector<std::string> allowed_;
};

/// Methods that promise to change nothing: GET, HEAD, OPTIONS.
[[nodiscard]] bool is_safe_method(std::string_view method) noexcept;

}  // namespace sluice::http
