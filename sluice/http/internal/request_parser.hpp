// One request from its bytes: the head by Beast's parser, after check_head let it pass; the body by its declared length
// or in strict chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/http/chunk_decoder.hpp"
#include "sluice/http/message.hpp"

namespace sluice::http::internal {

/// Parses one request. Bytes beyond it are left to the caller.
class RequestParser {
public:
    explicit RequestParser(std::size_t body_limit) : body_limit_(body_limit) {}

    /// The whole head, once. Refuses a body that is declared larger than the limit.
    BodyProgress head(std::string_view bytes);
    /// Feeds what was not consumed yet.
    BodyProgress body(std::string_view bytes);

    [[nodiscard]] bool done() const noexcept { return chunks_ ? chunks_->done() : left_ == 0; }
    [[nodiscard]] bool has_body() const noexcept { return chunks_ || left_ > 0; }
    [[nodiscard]] bool expects_continue() const noexcept;
    /// The complete request; once.
    [[nodiscard]] Request take() { return std::move(request_); }

private:
    std::size_t body_limit_;
    Request request_;
    std::uint64_t left_ = 0;              ///< of a body with a declared length
    std::optional<ChunkDecoder> chunks_;  ///< of any other body
};

}  // namespace sluice::http::internal
