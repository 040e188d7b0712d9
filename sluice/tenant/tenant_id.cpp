#include "sluice/tenant/tenant_id.hpp"

#include <algorithm>

namespace sluice::tenant {
namespace {

constexpr std::size_t kLongestId = 48;

constexpr bool may_begin(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

std::optional<TenantId> TenantId::parse(std::string_view text) {
    if (text.empty() || text.size() > kLongestId || !may_begin(text.front())) return std::nullopt;
    if (!std::ranges::all_of(text, [](char c) { return may_begin(c) || c == '_'; })) return std::nullopt;
    return TenantId(std::string(text));
}

}  // namespace sluice::tenant
