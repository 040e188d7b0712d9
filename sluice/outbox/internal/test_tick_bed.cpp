#include "sluice/outbox/internal/test_tick_bed.hpp"

#include "sluice/outbox/internal/log_reader.hpp"

namespace sluice::outbox {
namespace {

db::Task<void> execute_on(db::DataSource& source, std::string sql) {
    std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
    co_await connection->execute(sql);
}

db::Task<std::int64_t> number_of(db::DataSource& source, std::string sql) {
    std::unique_ptr<db::Connection> connection = co_await source.acquire(db::AccessIntent::write);
    const db::Result result = co_await connection->query(sql);
    co_return result.rows.at(0).get<std::int64_t>(0);
}

db::Task<std::vector<std::string>> read_payloads(LogReader& reader) {
    std::vector<std::string> payloads;
    core::Position after(0);
    ReadLimits few;
    few.messages = 7;  // so that stretches end within ticks
    for (;;) {
        const LogSlice slice = co_await reader.read_behind(after, few);
        if (slice.messages.empty()) break;
        for (const LoggedMessage& logged : slice.messages) {
            EXPECT_EQ(logged.message->position.value(), static_cast<std::int64_t>(payloads.size()) + 1);
            payloads.push_back(logged.message->payload);
        }
        after = slice.up_to;
    }
    co_return payloads;
}

}  // namespace

std::vector<db::Dialect> servers() {
    return {
#ifdef SLUICE_POSTGRES
        db::Dialect::postgres,
#endif
#ifdef SLUICE_MARIADB
        db::Dialect::mariadb,
#endif
    };
}

std::string name_of_server(const ::testing::TestParamInfo<db::Dialect>& info) {
    return std::string(testing::name_of(info.param));
}

std::vector<std::string> counted(int from, int to) {
    std::vector<std::string> all;
    for (int i = from; i <= to; ++i)
        all.push_back(std::to_string(i));
    return all;
}

db::Task<void> HeldUnit::run(std::string sql) {
    std::vector<db::Statement> statements;
    statements.push_back(db::statement(std::move(sql)));
    co_await transaction_->run(std::move(statements));
}

db::Task<void> HeldUnit::commit() {
    std::vector<db::Statement> none;
    co_await transaction_->commit(std::move(none));
    transaction_.reset();
}

db::Task<void> HeldUnit::rollback() {
    co_await transaction_->rollback();
    transaction_.reset();
}

TickBed::TickBed(db::Dialect dialect, std::uint16_t lanes) : base(dialect) {
    source = base.open("shop", metrics, logger());
    migrate::Runner runner({migrations()}, core::Logger());
    run(runner.run(*source));
    execute("insert into sluice_queue(number, name, lanes, ordering) values (1, 'orders', " + std::to_string(lanes) +
            ", 'causal')");
}

TickBed::~TickBed() {
    run(source->close());
}

std::vector<std::string> TickBed::Process::payloads() const {
    std::vector<std::string> all;
    for (const Numbered& numbered : ticks)
        for (const LoggedMessage& logged : numbered.slice.messages)
            all.push_back(logged.message->payload);
    return all;
}

std::unique_ptr<TickBed::Process> TickBed::process(Settings settings, std::shared_ptr<db::DataSource> through) {
    auto made = std::make_unique<Process>();
    auto accept = [to = made.get()](std::vector<Numbered> ticks) {
        for (Numbered& numbered : ticks)
            to->ticks.push_back(std::move(numbered));
    };
    made->sequencing =
        make_sequencing({through ? std::move(through) : source, shard, logger(), metrics, settings, std::move(accept)});
    run(made->sequencing->start());
    return made;
}

int TickBed::tick_all(Process& process) {
    int ticks = 0;
    while (tick(process) > 0)
        ++ticks;
    return ticks;
}

std::unique_ptr<HeldUnit> TickBed::open_unit() {
    db::TransactionOptions options;
    return std::make_unique<HeldUnit>(run(source->begin(options)));
}

std::string TickBed::insert_sql(const std::string& payload) const {
    return "insert into sluice_message(queue, \"key\", type, payload) values (1, 'a', 'Noted', " +
           sql_text.payload("'" + payload + "'") + ")";
}

void TickBed::execute(std::string sql) {
    run(execute_on(*source, std::move(sql)));
}

std::int64_t TickBed::number(std::string sql) {
    return run(number_of(*source, std::move(sql)));
}

std::vector<std::string> TickBed::log() {
    LogReader reader(source, {{1, "orders"}});
    return run(read_payloads(reader));
}

}  // namespace sluice::outbox
