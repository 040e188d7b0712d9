// Groups 9 and 10: large messages, whole, in fragments and in small writes.
#include <fmt/format.h>

#include "tests/conformance/ws/rule.hpp"

namespace sluice::conformance::ws {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

Rule large(int part, int number, bool binary_kind, std::vector<std::string> writes, std::string payload) {
    Rule rule = answered(fmt::format("WebSocket 9.{}", part), fmt::format("9.{}.{}", part, number), std::move(writes),
                         {binary_kind ? binary(std::move(payload)) : text(std::move(payload))});
    rule.sizes_of_a_server = true;
    return rule;
}

}  // namespace

Rules size_rules() {
    Rules rules;
    for (bool bin : {false, true}) {
        const std::uint8_t opcode = bin ? 2 : 1;
        const char filler = bin ? '\xfe' : '*';
        int number = 1;
        for (std::size_t size : {64 * kKiB, 256 * kKiB, 1 * kMiB, 4 * kMiB, 8 * kMiB, 16 * kMiB}) {
            std::string payload(size, filler);
            std::string frame = masked_frame(opcode, payload);
            rules.push_back(large(bin ? 2 : 1, number++, bin, {std::move(frame)}, std::move(payload)));
        }
        number = 1;
        for (std::size_t size : {64 * 1UL, 256UL, kKiB, 4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, kMiB, 4 * kMiB}) {
            std::string payload(4 * kMiB, filler);
            std::string frames = join(fragments(opcode, payload, size));
            rules.push_back(large(bin ? 4 : 3, number++, bin, {std::move(frames)}, std::move(payload)));
        }
        number = 1;
        for (std::size_t size : std::initializer_list<std::size_t>{64, 128, 256, 512, 1024, 2048}) {
            std::string payload(kMiB, filler);
            rules.push_back(large(bin ? 6 : 5, number++, bin, in_pieces(masked_frame(opcode, payload), size), payload));
        }
    }
    const std::string payload(64 * kKiB, '*');
    Rule cut = answered("WebSocket 10", "10.1.1", {join(fragments(1, payload, 1300))}, {text(payload)});
    cut.sizes_of_a_server = true;
    rules.push_back(std::move(cut));
    return rules;
}

}  // namespace sluice::conformance::ws
