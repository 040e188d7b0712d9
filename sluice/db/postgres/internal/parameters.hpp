// A statement's values as libpq's five arrays.
//
//     const Parameters parameters(statement.values);
//     PQsendQueryPrepared(connection, name, parameters.count(), parameters.values(), parameters.lengths(), …);
#pragma once

#include <string>
#include <vector>

#include "sluice/db/postgres/internal/oids.hpp"
#include "sluice/db/value.hpp"

namespace sluice::db::postgres {

/// Text and JSON go as text, so that the server may take a text for whatever type stands there; all else in binary
/// with its type. Text and bytes are not copied: the values must outlive this.
class Parameters {
public:
    explicit Parameters(const std::vector<Value>& values);
    /// A copy would point into the original; what is moved keeps its place.
    Parameters(const Parameters&) = delete;
    Parameters& operator=(const Parameters&) = delete;
    Parameters(Parameters&&) = default;
    Parameters& operator=(Parameters&&) = default;
    ~Parameters() = default;

    [[nodiscard]] int count() const noexcept { return static_cast<int>(types_.size()); }
    [[nodiscard]] const std::vector<Oid>& types() const noexcept { return types_; }
    [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }
    [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
    [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

private:
    struct Adder;
    void make_room(const std::vector<Value>& values);

    std::vector<Oid> types_;
    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
    std::vector<std::string> made_;  // values_ points into it: it never grows beyond its first room
};

}  // namespace sluice::db::postgres
