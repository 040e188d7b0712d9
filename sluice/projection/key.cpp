#include "sluice/projection/key.hpp"

#include "sluice/core/utf8.hpp"
#include "sluice/projection/contract.hpp"

namespace sluice::projection {

std::string_view key_defect(std::string_view key) noexcept {
    if (key.empty()) return "a key is not empty";
    if (key.size() > kLongestKey) return "a key has at most 512 bytes";
    if (key.contains('\0')) return "a key holds no NUL";
    if (!core::is_utf8(key)) return "a key is UTF-8";
    return {};
}

}  // namespace sluice::projection
