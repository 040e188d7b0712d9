#include "sluice/db/postgres/internal/parameters.hpp"

#include "sluice/db/postgres/internal/wire.hpp"

namespace sluice::db::postgres {
namespace {

constexpr int kTextFormat = 0;
constexpr int kBinaryFormat = 1;

std::string encode_bits(double value) {
    std::string bytes;
    put_number(bytes, std::bit_cast<std::uint64_t>(value));
    return bytes;
}

/// One dimension from 1, no nulls; an empty array has no dimension.
template <class Element, class Put>
std::string encode_binary_array(const std::vector<Element>& array, Oid element, Put put) {
    std::string bytes;
    put_number<std::int32_t>(bytes, array.empty() ? 0 : 1);
    put_number<std::int32_t>(bytes, 0);
    put_number<std::uint32_t>(bytes, element);
    if (array.empty()) return bytes;
    put_number<std::int32_t>(bytes, static_cast<std::int32_t>(array.size()));
    put_number<std::int32_t>(bytes, 1);
    for (const Element& each : array)
        put(bytes, each);
    return bytes;
}

void put_sized(std::string& bytes, std::string_view element) {
    put_number<std::int32_t>(bytes, static_cast<std::int32_t>(element.size()));
    bytes += element;
}

bool is_sent_as_it_is(const Value::Variant& value) {
    return std::holds_alternative<Null>(value) || std::holds_alternative<std::string>(value) ||
           std::holds_alternative<Bytes>(value) || std::holds_alternative<Uuid>(value) ||
           std::holds_alternative<Json>(value);
}

}  // namespace

struct Parameters::Adder {
    Parameters& to;

    void add(Oid type, int format, const char* data, std::size_t length) const {
        to.types_.push_back(type);
        to.formats_.push_back(format);
        to.values_.push_back(data);
        to.lengths_.push_back(static_cast<int>(length));
    }
    void add_made(Oid type, std::string bytes) const {
        const std::string& kept = to.made_.emplace_back(std::move(bytes));
        add(type, kBinaryFormat, kept.data(), kept.size());
    }

    void operator()(Null) const { add(kUnknownType, kTextFormat, nullptr, 0); }
    void operator()(bool value) const { add_made(kBool, std::string(1, value ? '\1' : '\0')); }
    void operator()(std::int64_t value) const {
        std::string bytes;
        put_number(bytes, value);
        add_made(kInt8, std::move(bytes));
    }
    void operator()(double value) const { add_made(kFloat8, encode_bits(value)); }
    void operator()(const std::string& text) const { add(kUnknownType, kTextFormat, text.c_str(), text.size()); }
    void operator()(const Bytes& bytes) const {
        // A null pointer would be NULL.
        const char* const data = bytes.empty() ? "" : reinterpret_cast<const char*>(bytes.data());
        add(kBytea, kBinaryFormat, data, bytes.size());
    }
    void operator()(Timestamp time) const {
        std::string bytes;
        put_number<std::int64_t>(bytes, (time.time_since_epoch() - kEpochOffset).count());
        add_made(kTimestampTz, std::move(bytes));
    }
    void operator()(const Uuid& uuid) const {
        add(kUuid, kBinaryFormat, reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
    }
    void operator()(const Json& json) const { add(kJson, kTextFormat, json.text.c_str(), json.text.size()); }
    void operator()(const std::vector<std::int64_t>& array) const {
        add_made(kInt8Array, encode_binary_array(array, kInt8, [](std::string& bytes, std::int64_t number) {
                     put_number<std::int32_t>(bytes, 8);
                     put_number(bytes, number);
                 }));
    }
    void operator()(const std::vector<std::string>& array) const {
        add_made(kTextArray, encode_binary_array(array, kText, put_sized));
    }
    void operator()(const std::vector<Bytes>& array) const {
        add_made(kByteaArray, encode_binary_array(array, kBytea, [](std::string& bytes, const Bytes& element) {
                     put_sized(bytes, as_text(element));
                 }));
    }
};

void Parameters::make_room(const std::vector<Value>& values) {
    std::size_t made = 0;
    for (const Value& value : values)
        if (!is_sent_as_it_is(value.variant())) ++made;
    types_.reserve(values.size());
    values_.reserve(values.size());
    lengths_.reserve(values.size());
    formats_.reserve(values.size());
    made_.reserve(made);
}

Parameters::Parameters(const std::vector<Value>& values) {
    make_room(values);
    for (const Value& value : values)
        std::visit(Adder{*this}, value.variant());
}

}  // namespace sluice::db::postgres
