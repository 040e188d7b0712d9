#include "sluice/db/mariadb/internal/parameters.hpp"

#include <array>
#include <cmath>

#include "sluice/db/internal/text_codec.hpp"
#include "sluice/db/internal/value_rules.hpp"

namespace sluice::db::mariadb {
namespace {

constexpr std::array<signed char, 2> kFlags{0, 1};

bool is_array(const Value::Variant& value) {
    return std::holds_alternative<std::vector<std::int64_t>>(value) ||
           std::holds_alternative<std::vector<std::string>>(value) || std::holds_alternative<std::vector<Bytes>>(value);
}

}  // namespace

std::optional<std::string> value_refusal(const Value& value) {
    const double* const real = std::get_if<double>(&value.variant());
    if (real != nullptr && std::isinf(*real)) return "MariaDB has no infinite reals";
    return db::internal::refusal(value);
}

MYSQL_TIME to_time(Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    MYSQL_TIME made{};
    made.year = static_cast<unsigned>(static_cast<int>(date.year()));
    made.month = static_cast<unsigned>(date.month());
    made.day = static_cast<unsigned>(date.day());
    made.hour = static_cast<unsigned>(clock.hours().count());
    made.minute = static_cast<unsigned>(clock.minutes().count());
    made.second = static_cast<unsigned>(clock.seconds().count());
    made.second_part = static_cast<unsigned long>(clock.subseconds().count());
    made.time_type = MYSQL_TIMESTAMP_DATETIME;
    return made;
}

/// The library only reads what a parameter's binding points to, through pointers that say otherwise.
struct Parameters::Adder {
    Parameters& to;

    void add(enum_field_types type, const void* data, std::size_t length) const {
        MYSQL_BIND bind{};
        bind.buffer_type = type;
        bind.buffer = const_cast<void*>(data);
        bind.buffer_length = length;
        to.bindings_.push_back(bind);
    }
    void add_made(std::string text) const {
        const std::string& kept = to.texts_.emplace_back(std::move(text));
        add(MYSQL_TYPE_STRING, kept.data(), kept.size());
    }

    void operator()(Null) const { add(MYSQL_TYPE_NULL, "", 0); }
    void operator()(bool value) const { add(MYSQL_TYPE_TINY, &kFlags.at(value ? 1 : 0), 1); }
    void operator()(const std::int64_t& value) const { add(MYSQL_TYPE_LONGLONG, &value, sizeof value); }
    void operator()(const double& value) const { add(MYSQL_TYPE_DOUBLE, &value, sizeof value); }
    void operator()(const std::string& text) const { add(MYSQL_TYPE_STRING, text.data(), text.size()); }
    void operator()(const Bytes& bytes) const {
        const void* const data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
        add(MYSQL_TYPE_BLOB, data, bytes.size());
    }
    void operator()(Timestamp time) const {
        add(MYSQL_TYPE_DATETIME, &to.times_.emplace_back(to_time(time)), sizeof(MYSQL_TIME));
    }
    void operator()(const Uuid& uuid) const { add(MYSQL_TYPE_BLOB, uuid.bytes.data(), uuid.bytes.size()); }
    void operator()(const Json& json) const { (*this)(json.text); }
    template <class Element>
    void operator()(const std::vector<Element>& array) const {
        add_made(db::internal::encode_array(array));
    }
};

void Parameters::make_room(const std::vector<Value>& values) {
    std::size_t times = 0;
    std::size_t texts = 0;
    for (const Value& value : values) {
        if (std::holds_alternative<Timestamp>(value.variant())) ++times;
        if (is_array(value.variant())) ++texts;
    }
    bindings_.reserve(values.size());
    times_.reserve(times);
    texts_.reserve(texts);
}

Parameters::Parameters(const std::vector<Value>& values) {
    make_room(values);
    for (const Value& value : values)
        std::visit(Adder{*this}, value.variant());
}

std::vector<MYSQL_BIND> Parameters::bindings(const std::vector<std::size_t>& order) const {
    std::vector<MYSQL_BIND> arranged;
    arranged.reserve(order.size());
    for (std::size_t index : order)
        arranged.push_back(bindings_.at(index));
    return arranged;
}

}  // namespace sluice::db::mariadb
