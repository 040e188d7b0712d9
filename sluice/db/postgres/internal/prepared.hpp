// Which statements a connection has prepared under which names. Bookkeeping only: what is sent is the exchange's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sluice/db/postgres/internal/oids.hpp"

namespace sluice::db::postgres {

struct Prepared {
    std::string name;
    std::string sql;
    std::vector<Oid> types;
    bool confirmed = false;  ///< the server has it
    bool binary = false;     ///< every column of its result is read in binary
};

/// By text, least recently used first to go. Not thread-safe.
class PreparedStatements {
public:
    /// `session` is part of every name: behind a pooler that switches sessions a name that other connections have too
    /// would run their statement.
    explicit PreparedStatements(std::size_t limit, std::uint32_t session = 0) : limit_(limit), session_(session) {}

    /// The statement for values of these types, or null. A type the server is to infer fits any.
    [[nodiscard]] Prepared* find(std::string_view sql, const std::vector<Oid>& types);
    /// A new one, unconfirmed; it takes the place of another with the same text. The reference holds until it leaves.
    Prepared& add(std::string_view sql, const std::vector<Oid>& types);
    /// The server has it now, and every column of its result can or cannot be read in binary.
    void confirm(const std::string& name, bool binary);
    /// What is out of date. `known`: the server still has it.
    void drop(const std::string& name, bool known);
    /// Drops what was never confirmed: its preparation failed or was skipped.
    void drop_unconfirmed();
    /// Names that the server still holds and that left; each is answered once.
    [[nodiscard]] std::vector<std::string> take_garbage();

    [[nodiscard]] std::size_t size() const noexcept { return list_.size(); }

private:
    using List = std::list<Prepared>;
    void remove(List::iterator at);

    std::size_t limit_;
    std::uint32_t session_;
    std::size_t named_ = 0;
    List list_;                                                    // the one used last at the front
    std::unordered_map<std::string_view, List::iterator> by_sql_;  // keys view the list's texts
    std::vector<std::string> garbage_;
};

}  // namespace sluice::db::postgres
