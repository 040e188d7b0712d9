// Beast's parser behind a small face, fed with heads that check_head let pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/http/message.hpp"

namespace sluice::http::internal {

/// Parses one request. Bytes beyond it are left to the caller.
class RequestParser {
public:
    explicit RequestParser(std::size_t body_limit);
    ~RequestParser();
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;

    struct Progress {
        std::size_t consumed = 0;
        unsigned refused = 0;  ///< 0, 400 or 413
        std::string reason;
    };
    /// Feeds what was not consumed yet.
    Progress feed(std::string_view bytes);

    [[nodiscard]] bool done() const;
    /// After the head: the declared length, if there is one.
    [[nodiscard]] std::optional<std::uint64_t> declared_length() const;
    [[nodiscard]] bool expects_continue() const;

    /// The complete request; once.
    [[nodiscard]] Request take(std::string peer);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice::http::internal
