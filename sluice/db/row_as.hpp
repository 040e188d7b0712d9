// Described structs from rows: each member is read from the column of its name.
//
//     struct Article { std::string id; std::int64_t stock = 0; std::optional<std::string> note; };
//     BOOST_DESCRIBE_STRUCT(Article, (), (id, stock, note))
//
//     const auto article = db::row_as<Article>(row);
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>

#include "sluice/db/row.hpp"

namespace sluice::db {

namespace internal {

/// Throws a `query` error: `number` does not fit the member that is read from `column`.
[[noreturn]] void out_of_range(std::string_view column, std::int64_t number);

template <class T>
T read_member(const Row& row, std::string_view column) {
    if constexpr (OptionalTraits<T>::is_optional) {
        if (row.at(row.index_of(column)).is_null()) return std::nullopt;
        return read_member<typename OptionalTraits<T>::Inner>(row, column);
    } else if constexpr (requires { typename T::Representation; }) {
        return T{read_member<typename T::Representation>(row, column)};
    } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
        const auto number = row.get<std::int64_t>(column);
        if (!std::in_range<T>(number)) out_of_range(column, number);
        return static_cast<T>(number);
    } else {
        return row.get<T>(column);
    }
}

}  // namespace internal

/// Members are what `Row::get` takes, any integer type (checked for range), a core::Strong number, or std::optional of
/// one of them. A missing column or a wrong type is a `query` error naming the column; other columns are ignored.
template <class T>
[[nodiscard]] T row_as(const Row& row) {
    T made{};
    boost::mp11::mp_for_each<boost::describe::describe_members<T, boost::describe::mod_any_access>>([&](auto member) {
        using Member = std::remove_cvref_t<decltype(made.*member.pointer)>;
        made.*member.pointer = internal::read_member<Member>(row, member.name);
    });
    return made;
}

/// Every row of a result.
template <class T>
[[nodiscard]] std::vector<T> rows_as(const Result& result) {
    std::vector<T> made;
    made.reserve(result.size());
    for (const Row& row : result)
        made.push_back(row_as<T>(row));
    return made;
}

}  // namespace sluice::db
