// The same read by Sluice's facade and by the plain C interfaces: what `facade.*` compares. Every function reads
// `count` rows of article, one by its key per statement, and answers the sum of the ids and the lengths of the names.
#pragma once

#include <cstdint>
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

/// Prepared, binary parameter, text results; the socket is waited for by libpq.
[[nodiscard]] std::int64_t read_by_libpq(const std::string& address, int count);
/// The same in pipeline mode, kInOneTrip statements before each synchronisation.
[[nodiscard]] std::int64_t read_by_libpq_pipeline(const std::string& address, int count);
/// Prepared, everything in binary; the socket is waited for by Connector/C.
[[nodiscard]] std::int64_t read_by_mariadb(const std::string& address, int count);
/// Prepared once, on the calling thread.
[[nodiscard]] std::int64_t read_by_sqlite(const std::string& path, int count);

}  // namespace sluice::bench
