// JSON for described structs: one line makes a struct readable and writable.
//
//     struct OrderPlaced { std::string article; std::int64_t quantity = 0; };
//     BOOST_DESCRIBE_STRUCT(OrderPlaced, (), (article, quantity))
//
//     std::string text = core::json::encode(OrderPlaced{"A-1", 3});              // {"article":"A-1","quantity":3}
//     auto order = core::json::decode<OrderPlaced>(R"({"article":"A-1"})");      // error: $.quantity: missing
//
// Encoding is canonical: members in declared order, maps sorted, shortest round-trip numbers, no NaN or infinity, empty
// optionals left out; equal values are equal bytes. Decoding is strict: UTF-8, no duplicate names, no unknown member
// unless Limits says so, depth and size bounded; the error names the path of the bad member.
//
// Types: bool, integers up to 64 bits, double, std::string, core::Strong, std::optional (absent or null), std::vector,
// std::array, std::map<std::string, T>, described structs (nested, with described bases), described enums as their
// names, and json::Raw for JSON that is passed through.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include <boost/describe.hpp>

#include "sluice/core/json/decode.hpp"
#include "sluice/core/json/encode.hpp"
#include "sluice/core/json/merge_patch.hpp"
