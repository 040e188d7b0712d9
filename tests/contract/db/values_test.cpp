// Every kind of value survives a round trip.
#include <limits>

#include "driver.hpp"

namespace sluice::contract {
namespace {

using db::Bytes;
using db::Json;
using db::Timestamp;
using db::Uuid;

class DbValues : public DbContract {
protected:
    /// Writes each value and null into a column of this type and compares what comes back.
    template <class T>
    void expect_round_trips(const std::string& type, const std::vector<T>& values) {
        execute("create table kept(id bigint primary key, value " + type + ")");
        for (std::size_t i = 0; i < values.size(); ++i) {
            const db::Row row = wait(round_trip(source(), static_cast<std::int64_t>(i), values[i]));
            EXPECT_TRUE(row.get<T>("value") == values[i]) << driver().name() << ", " << type << ", value " << i;
        }
        const db::Row row = wait(round_trip(source(), 1'000'000, db::null));
        EXPECT_FALSE(row.get<std::optional<T>>("value").has_value());
    }

private:
    static Task<db::Row> round_trip(db::DataSource& source, std::int64_t id, db::Value value) {
        const auto writer = co_await source.acquire(db::AccessIntent::write);
        co_await writer->execute("insert into kept(id, value) values ($1, $2)", id, std::move(value));
        const auto reader = co_await source.acquire(db::AccessIntent::read);
        auto row = co_await reader->query_one("select value from kept where id = $1", id);
        co_return row.value();
    }
};

Bytes bytes_of(std::initializer_list<int> values) {
    Bytes bytes;
    for (int value : values)
        bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

Timestamp at(std::int64_t micros) {
    return Timestamp{std::chrono::microseconds{micros}};
}

TEST_P(DbValues, booleans) {
    expect_round_trips<bool>(driver().types().boolean, {true, false});
}

TEST_P(DbValues, integers) {
    using Limits = std::numeric_limits<std::int64_t>;
    expect_round_trips<std::int64_t>(driver().types().integer, {0, 1, -1, Limits::min(), Limits::max()});
}

TEST_P(DbValues, reals) {
    using Limits = std::numeric_limits<double>;
    expect_round_trips<double>(driver().types().real,
                               {0.0, 0.1, -1.5e-300, Limits::max(), Limits::lowest(), Limits::min()});
}

TEST_P(DbValues, text) {
    expect_round_trips<std::string>(driver().types().text,
                                    {"", "plain", "größer 𝄞 \n\t'\"\\ $1 ?", std::string(16 << 20, 'x')});
}

TEST_P(DbValues, bytes) {
    Bytes large(16 << 20);
    for (std::size_t i = 0; i < large.size(); ++i)
        large[i] = static_cast<std::byte>(i * 7);
    expect_round_trips<Bytes>(driver().types().bytes, {{}, bytes_of({0}), bytes_of({0, 255, 0}), large});
}

TEST_P(DbValues, timestamps) {
    expect_round_trips<Timestamp>(driver().types().timestamp,
                                  {at(0), at(1), at(1'767'322'845'123'456), at(-1), at(253'402'300'799'999'999)});
}

TEST_P(DbValues, uuids) {
    Uuid uuid;
    for (std::size_t i = 0; i < uuid.bytes.size(); ++i)
        uuid.bytes[i] = static_cast<std::byte>(255 - i);
    expect_round_trips<Uuid>(driver().types().uuid, {Uuid{}, uuid});
}

TEST_P(DbValues, json) {
    expect_round_trips<Json>(driver().types().json, {Json{"{}"}, Json{R"({"a":[1,"ü",null]})"}});
}

TEST_P(DbValues, arrays_of_integers) {
    expect_round_trips<std::vector<std::int64_t>>(driver().types().integers, {{}, {1}, {-5, 0, 5}});
}

TEST_P(DbValues, arrays_of_text) {
    expect_round_trips<std::vector<std::string>>(driver().types().texts, {{}, {""}, {"a", "b,\"c\" {}\\", "ü"}});
}

TEST_P(DbValues, arrays_of_bytes) {
    expect_round_trips<std::vector<Bytes>>(driver().types().bytes_array,
                                           {{}, {{}}, {bytes_of({0, 255}), bytes_of({1})}});
}

TEST_P(DbValues, text_that_is_no_utf8_or_holds_nul_is_refused) {
    make_items();
    for (const std::string& bad : {std::string("\xff"), std::string("a\0b", 3), std::string("\xed\xa0\x80")}) {
        const std::string ended = outcome([bad](db::UnitOfWork& unit) -> Task<void> {
            co_await unit.execute("insert into item(id, name) values (1, $1)", bad);
        });
        EXPECT_EQ(ended, "query");
    }
    EXPECT_EQ(items(), "");
}

TEST_P(DbValues, placeholders_may_repeat_and_stand_in_any_order) {
    const auto query = [](db::DataSource& source) -> Task<std::string> {
        const auto connection = co_await source.acquire(db::AccessIntent::read);
        const auto row =
            co_await connection->query_one("select '$1' as a where $2 = 'b' and $1 = 'a' and $2 = 'b'", "a", "b");
        co_return row->get<std::string>("a");
    };
    EXPECT_EQ(wait(query(source())), "$1");
}

INSTANTIATE_TEST_SUITE_P(Db, DbValues, ::testing::ValuesIn(drivers()),
                         [](const auto& given) { return given.param->name(); });

}  // namespace
}  // namespace sluice::contract
