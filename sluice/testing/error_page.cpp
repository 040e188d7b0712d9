#include "sluice/testing/error_page.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace sluice::testing {
namespace {

constexpr std::string_view kAnything = "…";

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

bool is_heading_of(std::string_view line, std::string_view section) {
    const std::size_t words = line.find_first_not_of('#');
    return words != std::string_view::npos && line.substr(words) == " " + std::string(section);
}

/// Without spaces and backticks at both ends: a text that holds backticks stands between doubled ones.
std::string_view bare(std::string_view cell) {
    const std::size_t first = cell.find_first_not_of(' ');
    if (first == std::string_view::npos) return {};
    cell = cell.substr(first, cell.find_last_not_of(' ') + 1 - first);
    for (const std::string_view ticks : {std::string_view("`` "), std::string_view("`")}) {
        if (!cell.starts_with(ticks) || cell.size() < 2 * ticks.size()) continue;
        cell.remove_prefix(ticks.size());
        cell.remove_suffix(ticks.size());
        break;
    }
    return cell;
}

}  // namespace

std::string docs_page(const std::string& name) {
    for (auto folder = std::filesystem::current_path();; folder = folder.parent_path()) {
        std::ifstream file(folder / "docs" / name, std::ios::binary);
        if (file) return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        if (folder == folder.parent_path()) break;
    }
    throw std::runtime_error("no folder above the working directory holds docs/" + name);
}

std::map<std::string, std::string> error_examples(std::string_view page, std::string_view section) {
    std::map<std::string, std::string> examples;
    bool inside = false;
    for (std::string_view line : lines_of(page)) {
        if (line.starts_with("#")) inside = is_heading_of(line, section);
        if (!inside || !line.starts_with("| `")) continue;
        line.remove_prefix(2);
        const std::size_t kind_end = line.find(" | ");
        if (kind_end == std::string_view::npos) continue;
        const std::string_view rest = line.substr(kind_end + 3);
        examples.emplace(bare(line.substr(0, kind_end)), bare(rest.substr(0, rest.find(" | "))));
    }
    return examples;
}

std::string error_page_complaint(std::string_view section, const std::string& kind, std::string_view text) {
    const auto examples = error_examples(docs_page("errors.md"), section);
    const auto found = examples.find(kind);
    const std::string shown = found == examples.end() ? "nothing" : found->second;
    if (shows(shown, text)) return {};
    return "docs/errors.md shows of " + kind + ": " + shown + "\nthe code prints: " + std::string(text);
}

std::string error_row_complaint(std::string_view section, std::string_view text) {
    const auto rows = error_examples(docs_page("errors.md"), section);
    if (std::ranges::any_of(rows, [&](const auto& row) { return shows(row.first, text); })) return {};
    return "docs/errors.md has no row of " + std::string(section) + " that shows: " + std::string(text);
}

bool shows(std::string_view example, std::string_view text) {
    const std::size_t gap = example.find(kAnything);
    if (gap == std::string_view::npos) return example == text;
    if (!text.starts_with(example.substr(0, gap))) return false;
    const std::string_view rest = example.substr(gap + kAnything.size());
    for (std::size_t at = gap; at <= text.size(); ++at) {
        if (shows(rest, text.substr(at))) return true;
    }
    return false;
}

}  // namespace sluice::testing
