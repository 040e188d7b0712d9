// PostgreSQL's built-in types that the codecs know, by their fixed object ids (pg_type.dat).
#pragma once

#include <cstdint>

namespace sluice::db::postgres {

using Oid = std::uint32_t;

inline constexpr Oid kUnknownType = 0;  ///< the server infers the type from where the value stands
inline constexpr Oid kBool = 16;
inline constexpr Oid kBytea = 17;
inline constexpr Oid kInt8 = 20;
inline constexpr Oid kInt2 = 21;
inline constexpr Oid kInt4 = 23;
inline constexpr Oid kText = 25;
inline constexpr Oid kOidType = 26;
inline constexpr Oid kJson = 114;
inline constexpr Oid kFloat4 = 700;
inline constexpr Oid kFloat8 = 701;
inline constexpr Oid kByteaArray = 1001;
inline constexpr Oid kTextArray = 1009;
inline constexpr Oid kInt8Array = 1016;
inline constexpr Oid kBpchar = 1042;
inline constexpr Oid kVarchar = 1043;
inline constexpr Oid kTimestamp = 1114;
inline constexpr Oid kTimestampTz = 1184;
inline constexpr Oid kUuid = 2950;
inline constexpr Oid kJsonb = 3802;

}  // namespace sluice::db::postgres
