// The same read by Sluice's facade and by the plain C interfaces: what `facade.*` compares. Each reads
// `count` rows of article, one by its key per statement, and answers the sum of the ids and the lengths of the names.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sluice/db/data_source.hpp"

namespace sluice::bench {

inline constexpr std::int64_t kArticles = 1'000;
inline constexpr int kInOneTrip = 50;
inline constexpr const char* kArticle = "create table article(id bigint primary key, name text not null)";
inline constexpr const char* kSelect = "select id, name from article where id = $1";

[[nodiscard]] inline std::int64_t key_of(int number) {
    return 1 + (std::int64_t{number} * 7919) % kArticles;
}

db::Task<void> make_articles(db::DataSource& source);
/// A statement a round trip.
db::Task<std::int64_t> read_through_facade(db::DataSource& source, int count);
/// kInOneTrip statements a round trip.
db::Task<std::int64_t> read_in_batches(db::DataSource& source, int count);

/// Reads `count` rows; the connection and the prepared statement are made before, as the facade's are.
using Read = std::function<std::int64_t(int count)>;

/// Prepared, binary parameter, text results; the socket is waited for by libpq.
[[nodiscard]] Read read_by_libpq(const std::string& address);
/// The same in pipeline mode, kInOneTrip statements before each synchronisation.
[[nodiscard]] Read read_by_libpq_pipeline(const std::string& address);
/// Prepared, everything in binary; the socket is waited for by Connector/C.
[[nodiscard]] Read read_by_mariadb(const std::string& address);
/// On the calling thread.
[[nodiscard]] Read read_by_sqlite(const std::string& path);

}  // namespace sluice::bench
