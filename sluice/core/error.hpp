// The root of Sluice's exceptions. Each module has one error type derived from it with a `kind` that callers branch on;
// the text is for people: what failed, where, and what to do.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace sluice::core {

/// Base of every exception that Sluice throws on purpose. Keeps the error that caused it.
class Error : public std::runtime_error {
public:
    explicit Error(const std::string& text, std::exception_ptr cause = nullptr)
        : std::runtime_error(text), cause_(std::move(cause)) {}

    /// The error that led to this one, or null.
    [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

private:
    std::exception_ptr cause_;
};

/// `what()` of the exception in `error` followed by those of its causes, joined by ": caused by: ".
[[nodiscard]] std::string describe(const std::exception_ptr& error);

}  // namespace sluice::core
