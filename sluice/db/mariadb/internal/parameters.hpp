// A statement's values as Connector/C's bindings.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <mysql.h>

#include "sluice/db/value.hpp"

namespace sluice::db::mariadb {

/// Why `value` cannot be stored here, beyond what no database stores; empty if it can.
[[nodiscard]] std::optional<std::string> value_refusal(const Value& value);

[[nodiscard]] MYSQL_TIME to_time(Timestamp time);

/// Types without one of their own: a uuid goes as its 16 bytes, an array as JSON text. Text and bytes are not copied:
/// the values must outlive this.
class Parameters {
public:
    explicit Parameters(const std::vector<Value>& values);
    /// A copy would point into the original; what is moved keeps its place.
    Parameters(const Parameters&) = delete;
    Parameters& operator=(const Parameters&) = delete;
    Parameters(Parameters&&) = default;
    Parameters& operator=(Parameters&&) = default;
    ~Parameters() = default;

    /// One binding per entry of `order`, which are indexes of values.
    [[nodiscard]] std::vector<MYSQL_BIND> bindings(const std::vector<std::size_t>& order) const;
    [[nodiscard]] std::size_t count() const noexcept { return bindings_.size(); }
    [[nodiscard]] const MYSQL_BIND& binding(std::size_t index) const noexcept { return bindings_[index]; }
    /// What the value takes in a packet.
    [[nodiscard]] std::size_t bytes(std::size_t index) const noexcept { return bindings_[index].buffer_length; }

private:
    struct Adder;
    void make_room(const std::vector<Value>& values);

    std::vector<MYSQL_BIND> bindings_;
    std::vector<std::string> texts_;  // bindings point into these two: they never grow beyond their first room
    std::vector<MYSQL_TIME> times_;
};

}  // namespace sluice::db::mariadb
