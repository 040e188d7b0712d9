#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "sluice/db/postgres/internal/decode.hpp"
#include "sluice/db/postgres/internal/wire.hpp"

namespace sluice::db::postgres {
namespace {

using Decoded = std::expected<Value, std::string>;

Decoded malformed() {
    return std::unexpected("the server's binary value is malformed");
}

template <std::integral Number>
Decoded decode_integer(std::string_view data) {
    const auto number = take_number<Number>(data);
    if (!number || !data.empty()) return malformed();
    return Value(static_cast<std::int64_t>(*number));
}

Decoded decode_real(std::string_view data) {
    if (data.size() == 4) return Value(static_cast<double>(std::bit_cast<float>(*take_number<std::uint32_t>(data))));
    if (data.size() == 8) return Value(std::bit_cast<double>(*take_number<std::uint64_t>(data)));
    return malformed();
}

Decoded decode_time(std::string_view data) {
    using Limits = std::numeric_limits<std::int64_t>;
    const auto micros = take_number<std::int64_t>(data);
    if (!micros || !data.empty()) return malformed();
    if (*micros == Limits::max() || *micros == Limits::min())
        return std::unexpected("an infinite timestamp cannot be held");
    if (*micros > Limits::max() - kEpochOffset.count()) return malformed();
    return Value(Timestamp{std::chrono::microseconds{*micros} + kEpochOffset});
}

Decoded decode_uuid(std::string_view data) {
    Uuid uuid;
    if (data.size() != uuid.bytes.size()) return malformed();
    std::memcpy(uuid.bytes.data(), data.data(), data.size());
    return Value(uuid);
}

/// The elements' bytes of a one-dimensional array of `element`.
std::expected<std::vector<std::string_view>, std::string> split_array(std::string_view data, Oid element) {
    const auto dimensions = take_number<std::int32_t>(data);
    const auto has_nulls = take_number<std::int32_t>(data);
    const auto type = take_number<std::uint32_t>(data);
    if (!dimensions || !has_nulls || !type || *type != element) return std::unexpected(malformed().error());
    std::vector<std::string_view> elements;
    if (*dimensions == 0) return elements;
    if (*dimensions != 1) return std::unexpected("an array of several dimensions cannot be held");
    const auto size = take_number<std::int32_t>(data);
    const auto lower = take_number<std::int32_t>(data);
    if (!size || !lower || *size < 0) return std::unexpected(malformed().error());
    for (std::int32_t i = 0; i < *size; ++i) {
        const auto length = take_number<std::int32_t>(data);
        if (length && *length == -1) return std::unexpected("a null inside an array cannot be held");
        if (!length || *length < 0 || data.size() < static_cast<std::size_t>(*length)) {
            return std::unexpected(malformed().error());
        }
        elements.push_back(data.substr(0, static_cast<std::size_t>(*length)));
        data.remove_prefix(static_cast<std::size_t>(*length));
    }
    if (!data.empty()) return std::unexpected(malformed().error());
    return elements;
}

Decoded decode_integer_array(std::string_view data) {
    const auto elements = split_array(data, kInt8);
    if (!elements) return std::unexpected(elements.error());
    std::vector<std::int64_t> array;
    for (std::string_view element : *elements) {
        if (element.size() != 8) return malformed();
        array.push_back(*take_number<std::int64_t>(element));
    }
    return Value(std::move(array));
}

Decoded decode_text_array(std::string_view data) {
    const auto elements = split_array(data, kText);
    if (!elements) return std::unexpected(elements.error());
    return Value(std::vector<std::string>(elements->begin(), elements->end()));
}

Decoded decode_bytes_array(std::string_view data) {
    const auto elements = split_array(data, kBytea);
    if (!elements) return std::unexpected(elements.error());
    std::vector<Bytes> array;
    for (std::string_view element : *elements)
        array.push_back(to_bytes(element));
    return Value(std::move(array));
}

Decoded decode_flag(std::string_view data) {
    if (data.size() != 1 || static_cast<unsigned char>(data[0]) > 1) return malformed();
    return Value(data[0] == 1);
}

Decoded decode_jsonb(std::string_view data) {
    if (!data.starts_with('\1')) return malformed();  // the only version there is
    return Value(Json{std::string(data.substr(1))});
}

constexpr std::array kBinaryTypes{kBool,    kBytea,     kInt8,        kInt2,       kInt4,      kText,      kOidType,
                                  kJson,    kFloat4,    kFloat8,      kByteaArray, kTextArray, kInt8Array, kBpchar,
                                  kVarchar, kTimestamp, kTimestampTz, kUuid,       kJsonb};

}  // namespace

bool has_binary_codec(Oid type) noexcept {
    return std::ranges::find(kBinaryTypes, type) != kBinaryTypes.end();
}

std::expected<Value, std::string> decode_binary(Oid type, std::string_view data) {
    switch (type) {
        case kBool:
            return decode_flag(data);
        case kBytea:
            return Value(to_bytes(data));
        case kInt8:
            return decode_integer<std::int64_t>(data);
        case kInt2:
            return decode_integer<std::int16_t>(data);
        case kInt4:
            return decode_integer<std::int32_t>(data);
        case kOidType:
            return decode_integer<std::uint32_t>(data);
        case kText:
        case kBpchar:
        case kVarchar:
            return Value(data);
        case kJson:
            return Value(Json{std::string(data)});
        case kJsonb:
            return decode_jsonb(data);
        case kFloat4:
        case kFloat8:
            return decode_real(data);
        case kTimestamp:
        case kTimestampTz:
            return decode_time(data);
        case kUuid:
            return decode_uuid(data);
        case kInt8Array:
            return decode_integer_array(data);
        case kTextArray:
            return decode_text_array(data);
        case kByteaArray:
            return decode_bytes_array(data);
        default:
            return std::unexpected("this type was not asked for in binary");
    }
}

}  // namespace sluice::db::postgres
