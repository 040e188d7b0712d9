// A started outbox: owns its subscriptions and workers and hands ticks to them.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/outbox/internal/ack_flusher.hpp"
#include "sluice/outbox/internal/claim.hpp"
#include "sluice/outbox/internal/housekeeping.hpp"
#include "sluice/outbox/internal/lane_scheduler.hpp"
#include "sluice/outbox/internal/log_reader.hpp"
#include "sluice/outbox/internal/outbox_plan.hpp"
#include "sluice/outbox/internal/processor.hpp"
#include "sluice/outbox/internal/sequencing.hpp"
#include "sluice/outbox/internal/sql_dead_letters.hpp"
#include "sluice/outbox/outbox.hpp"
#include "sluice/runtime/worker_group.hpp"

namespace sluice::outbox {

class RunningOutbox final : public Outbox {
public:
    RunningOutbox(const std::shared_ptr<db::DataSource>& source, runtime::Shard& shard, const core::Logger& log,
                  core::Metrics& metrics, OutboxPlan plan, WorkerPlan workers);
    ~RunningOutbox() override;

    /// Once. If it throws, nothing runs.
    db::Task<void> start();

    [[nodiscard]] DeadLetters& dead_letters() noexcept override { return letters_; }
    [[nodiscard]] std::vector<CursorStatus> status() const override;
    db::Task<bool> drained(std::chrono::milliseconds limit) override;
    db::Task<std::vector<Message>> read_log(core::Position after, core::Position up_to, std::uint32_t limit) override;
    [[nodiscard]] core::Position head() const noexcept override { return ledger_.head(); }
    db::Task<core::Position> oldest_kept() override;
    [[nodiscard]] core::Epoch ledger_epoch() const noexcept override { return ledger_.epoch(); }
    db::Task<void> stop(std::chrono::milliseconds deadline) override;

private:
    struct LaneSlot {
        std::size_t subscription = 0;
        std::size_t lane = 0;
    };

    db::Task<void> enter_database();
    db::Task<void> claim_all(db::UnitOfWork& unit);
    void start_workers();
    [[nodiscard]] bool has_leases() const noexcept;
    void accept(std::vector<Numbered> ticks);
    void take(const Numbered& numbered);
    void offer(Subscription& subscription, const LogSlice& slice);
    void mark_all();
    void hear_of_parked(const std::string& name, std::size_t lane, const std::string& group, SqlDeadLetters::News news);
    void wake_processors();
    void tell_waiters();
    db::Task<void> wait_stopped();
    [[nodiscard]] bool passed_all() const noexcept;
    [[nodiscard]] bool numbered(std::uint64_t poll) const noexcept;
    [[nodiscard]] static bool is_behind(const Subscription& subscription, std::size_t lane);

    db::Task<runtime::Directive> process();
    db::Task<std::uint64_t> run_step(LaneSlot slot, std::size_t index, LaneStep step);
    db::Task<runtime::Directive> read_backlog();
    db::Task<runtime::Directive> poll();
    db::Task<runtime::Directive> retain();

    runtime::Shard& shard_;
    core::Logger log_;
    core::Metrics& metrics_;
    OutboxPlan plan_;
    WorkerPlan worker_plan_;
    DeliveryDeps deps_;
    std::unique_ptr<Sequencing> sequencing_;
    std::unique_ptr<LogReader> reader_;
    std::vector<QueueRow> queues_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Subscription>> subscriptions_;
    std::vector<std::unique_ptr<Processor>> processors_;
    std::vector<LaneSlot> slots_;
    LaneScheduler scheduler_;
    std::vector<Numbered> early_;  // ticks that came before the ledger was loaded
    bool loaded_ = false;
    std::uint64_t ticks_seen_ = 0;  // since the last poll

    SqlDeadLetters letters_;
    AckFlusher flusher_;
    Housekeeping housekeeping_;
    runtime::WorkerGroup workers_;
    std::vector<runtime::Worker*> processor_workers_;
    runtime::Worker* backlog_worker_ = nullptr;
    runtime::Worker* sequencer_ = nullptr;
    db::CommitSignal::Listening news_;  // of messages published in this process
    std::uint64_t polls_begun_ = 0;
    std::uint64_t polls_ended_ = 0;      // the newest that found nothing more
    std::list<runtime::Wake*> waiters_;  // of `drained` and of a stop in progress
    bool sequencing_started_ = false;
    bool workers_started_ = false;
    bool stopped_ = false;  // or about to be
    bool ended_ = false;    // nothing runs any more
};

}  // namespace sluice::outbox
