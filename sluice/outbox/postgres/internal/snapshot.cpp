#include "sluice/outbox/postgres/internal/snapshot.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"

namespace sluice::outbox::postgres {
namespace {

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

/// The part of `text` before `separator`, which goes from it.
std::string_view take(std::string_view& text, char separator) {
    const std::size_t at = text.find(separator);
    const std::string_view part = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return part;
}

}  // namespace

std::optional<Snapshot> Snapshot::parse(std::string_view text) {
    if (std::ranges::count(text, ':') != 2 || text.ends_with(',')) return std::nullopt;
    const auto xmin = number(take(text, ':'));
    const auto xmax = number(take(text, ':'));
    if (!xmin || !xmax || *xmin > *xmax) return std::nullopt;
    Snapshot snapshot{*xmin, *xmax, {}};
    while (!text.empty()) {
        const auto xid = number(take(text, ','));
        const std::int64_t least = snapshot.running.empty() ? *xmin : snapshot.running.back() + 1;
        if (!xid || *xid < least || *xid >= *xmax) return std::nullopt;
        snapshot.running.push_back(*xid);
    }
    return snapshot;
}

std::string Snapshot::text() const {
    return fmt::format("{}:{}:{}", xmin, xmax, fmt::join(running, ","));
}

bool Snapshot::saw(std::int64_t xid) const noexcept {
    if (xid < xmin) return true;
    return xid < xmax && !std::ranges::binary_search(running, xid);
}

Snapshot including(Snapshot seen, std::int64_t own) {
    for (std::int64_t xid = seen.xmax; xid < own; ++xid)
        seen.running.push_back(xid);
    if (core::mutant("outbox_restore_unseen")) return seen;
    seen.xmax = std::max(seen.xmax, own + 1);
    std::erase(seen.running, own);
    seen.xmin = seen.running.empty() ? seen.xmax : seen.running.front();
    return seen;
}

}  // namespace sluice::outbox::postgres
