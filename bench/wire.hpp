// WebSocket as far as the benchmarks' own client and floor speak it: whole, unfragmented frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::bench {

/// Counts the frames of one direction of a connection, and hands out their payloads where they came in one piece.
class FrameCounter {
public:
    /// Calls `whole(payload)` for each frame that ends in `bytes`; the payload is empty for one that began before them.
    template <class Whole>
    void feed(std::string_view bytes, Whole whole) {
        while (!bytes.empty()) {
            if (rest_ > 0) {
                const std::size_t taken = bytes.size() < rest_ ? bytes.size() : rest_;
                rest_ -= taken;
                bytes.remove_prefix(taken);
                if (rest_ == 0) whole(std::string_view());
                continue;
            }
            head_ += bytes.front();
            bytes.remove_prefix(1);
            if (head_.size() < 2 || head_.size() < head_size()) continue;
            const std::size_t payload = payload_size();
            head_.clear();
            if (payload <= bytes.size()) {
                whole(bytes.substr(0, payload));
                bytes.remove_prefix(payload);
            } else {
                rest_ = payload;
            }
        }
    }

private:
    [[nodiscard]] std::size_t length_code() const noexcept { return static_cast<unsigned char>(head_[1]) & 0x7FU; }
    [[nodiscard]] std::size_t head_size() const noexcept {
        const bool masked = (static_cast<unsigned char>(head_[1]) & 0x80U) != 0;
        return 2 + (length_code() == 126 ? 2U : length_code() == 127 ? 8U : 0U) + (masked ? 4U : 0U);
    }
    [[nodiscard]] std::size_t payload_size() const noexcept {
        if (length_code() < 126) return length_code();
        std::size_t size = 0;
        for (std::size_t i = 2; i < (length_code() == 126 ? 4U : 10U); ++i)
            size = size << 8U | static_cast<unsigned char>(head_[i]);
        return size;
    }

    std::string head_;
    std::size_t rest_ = 0;
};

/// A text frame; a client's is masked, with zeros, so that both sides write the same bytes.
inline void append_text_frame(std::string& out, std::string_view payload, bool from_client) {
    const char mask = from_client ? '\x80' : '\0';
    out += '\x81';
    if (payload.size() < 126) {
        out += static_cast<char>(mask | static_cast<char>(payload.size()));
    } else {
        out += static_cast<char>(mask | 126);
        out += static_cast<char>(payload.size() >> 8U);
        out += static_cast<char>(payload.size());
    }
    if (from_client) out.append(4, '\0');
    out += payload;
}

}  // namespace sluice::bench
