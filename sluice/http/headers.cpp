#include "sluice/http/headers.hpp"

#include <algorithm>

#include "sluice/core/assert.hpp"

namespace sluice::http {
namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool splits_a_line(std::string_view text) noexcept {
    return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

Headers::Headers(std::initializer_list<std::pair<std::string, std::string>> fields) {
    for (const auto& [name, value] : fields)
        add(name, value);
}

void Headers::add(std::string name, std::string value) {
    SLUICE_ASSERT(!name.empty() && !splits_a_line(name) && !splits_a_line(value), "header '{}' would split a message",
                  name);
    fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string name, std::string value) {
    std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
    add(std::move(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const noexcept {
    for (const auto& [field, value] : fields_) {
        if (same_name(field, name)) return value;
    }
    return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(fields_, [&](const auto& f) { return same_name(f.first, name); }));
}

}  // namespace sluice::http
