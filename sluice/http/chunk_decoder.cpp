#include "sluice/http/chunk_decoder.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sluice/core/mutant.hpp"
#include "sluice/http/head_check.hpp"

namespace sluice::http {
namespace {

constexpr std::size_t kLineLimit = 256;
constexpr std::size_t kTrailerLimit = 4 * 1024;
// A body may be cut small, but not so that reading it costs many times its size.
constexpr std::size_t kFreeOverhead = 16 * 1024;
constexpr std::size_t kOverheadPerByte = 8;
constexpr std::uint64_t kLargestSize = std::uint64_t{1} << 59;  // one more digit still fits 64 bits

int digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_text(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

void skip_blanks(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

bool skip_token(std::string_view& text) {
    const auto end = std::ranges::find_if_not(text, [](char c) { return is_token_char(c); });
    const auto length = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(length);
    return length > 0;
}

bool skip_quoted(std::string_view& text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return true;
        }
    }
    return false;
}

/// RFC 9112 section 7.1.1: any number of `;name`, `;name=token` and `;name="quoted"`, with white space around ';' and
/// '='.
bool is_extension(std::string_view text) {
    while (!text.empty()) {
        skip_blanks(text);
        if (!text.starts_with(';')) return false;
        text.remove_prefix(1);
        skip_blanks(text);
        if (!skip_token(text)) return false;
        std::string_view behind = text;
        skip_blanks(behind);
        if (!behind.starts_with('=')) continue;
        text = behind.substr(1);
        skip_blanks(text);
        if (!(text.starts_with('"') ? skip_quoted(text) : skip_token(text))) return false;
    }
    return true;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::size_digit(char c, bool first) {
    const int digit = digit_value(c);
    if (digit >= 0) {
        if (size_ >= kLargestSize) return {State::refused, "its size is too large to be true"};
        size_ = size_ * 16 + static_cast<unsigned>(digit);
        return {State::size};
    }
    if (first) return {State::refused, "expected its size in hexadecimal digits"};
    if (c == '\r') return {State::size_end};
    if (c == ';' || c == ' ' || c == '\t') {
        text_ = c;
        return {State::extension};
    }
    return {State::refused, "its size holds more than hexadecimal digits"};
}

ChunkDecoder::Step ChunkDecoder::extension(char c) {
    if (c == '\r') {
        if (is_extension(text_)) return {State::size_end};
        return {State::refused, "its extension is not of the form ;name=value"};
    }
    if (!is_text(c)) return {State::refused, "its extension holds a control character"};
    text_ += c;
    return {State::extension};
}

ChunkDecoder::Step ChunkDecoder::trailer(char c) {
    if (++trailers_ > kTrailerLimit) return {State::refused, "the trailers are too large", 431};
    if (c == '\r') {
        std::string flaw = flaw_of_trailer(text_);
        if (!flaw.empty()) return {State::refused, "trailers: " + flaw};
        return {State::trailer_lf};
    }
    if (!is_text(c)) return {State::refused, "a trailer holds a control character"};
    text_ += c;
    return {State::trailer};
}

ChunkDecoder::Step ChunkDecoder::step(char c) {
    switch (state_) {
        case State::size_start:
            return size_digit(c, true);
        case State::size:
            return size_digit(c, false);
        case State::extension:
            return extension(c);
        case State::size_end:
            if (c == '\n') return {size_ == 0 ? State::trailer_start : State::data};
            return {State::refused, "its size line does not end in CR LF"};
        case State::data_cr:
            if (c == '\r') return {State::data_lf};
            return {State::refused, "more data than its size says, or no CR LF behind it"};
        case State::data_lf:
            if (c == '\n') return {State::size_start};
            return {State::refused, "no CR LF behind its data"};
        case State::trailer_start:
            if (c == '\r' || core::mutant("http_last_chunk_unchecked")) return {State::last_lf};
            text_.clear();
            return trailer(c);
        case State::trailer:
            return trailer(c);
        case State::trailer_lf:
            if (c == '\n') return {State::trailer_start};
            return {State::refused, "a trailer does not end in CR LF"};
        case State::last_lf:
            if (c == '\n') return {State::done};
            return {State::refused, "the last chunk does not end in CR LF CR LF"};
        case State::data:
        case State::done:
        case State::refused:
            break;
    }
    return {State::refused, "nothing may follow"};
}

void ChunkDecoder::begin_chunk(State next) {
    if (next == State::size_start) {
        size_ = 0;
        line_ = 0;
    } else if (next == State::data) {
        left_ = size_;
    }
}

BodyProgress ChunkDecoder::feed(std::string_view bytes, std::string& body) {
    std::size_t at = 0;
    const auto refuse = [&](unsigned status, std::string_view why) {
        state_ = State::refused;
        return BodyProgress{at, status, fmt::format("body: a chunk is malformed: {}", why)};
    };
    while (at < bytes.size() && state_ != State::done) {
        if (state_ == State::data) {
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
            body.append(bytes, at, take);
            at += take;
            left_ -= take;
            data_total_ += take;
            if (left_ == 0) state_ = State::data_cr;
            continue;
        }
        const Step taken = step(bytes[at]);
        if (!taken.complaint.empty()) return refuse(taken.status, taken.complaint);
        ++at;
        if (trailers_ == 0 && ++line_ > kLineLimit)
            return refuse(400, fmt::format("its size line is longer than {} bytes", kLineLimit));
        if (++overhead_ > kFreeOverhead + kOverheadPerByte * data_total_)
            return refuse(400, "the chunks cost far more bytes than they carry");
        if (taken.next != state_) begin_chunk(taken.next);
        state_ = taken.next;
        if (state_ == State::data && size_ > body_limit_ - std::min<std::uint64_t>(data_total_, body_limit_)) {
            state_ = State::refused;
            return {at, 413, fmt::format("body: larger than {} bytes", body_limit_)};
        }
    }
    return {at, 0, {}};
}

}  // namespace sluice::http
