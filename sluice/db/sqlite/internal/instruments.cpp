#include "sluice/db/sqlite/internal/instruments.hpp"

#include <vector>

namespace sluice::db::sqlite {
namespace {

const std::vector<double>& size_buckets() {
    static const std::vector<double> buckets{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};
    return buckets;
}

core::Counter counted(core::Metrics& metrics, const char* name, const char* help, const std::string& source,
                      const char* outcome) {
    return metrics.counter(name, help, {{"source", source}, {"outcome", outcome}});
}

constexpr const char* kUnits = "sluice_db_units_total";
constexpr const char* kUnitsHelp = "Units of work by how they ended";
constexpr const char* kGroups = "sluice_db_groups_total";
constexpr const char* kGroupsHelp = "SQLite write transactions by how they ended";

}  // namespace

Instruments::Instruments(core::Metrics& metrics, const std::string& source)
    : units_committed(counted(metrics, kUnits, kUnitsHelp, source, "committed")),
      units_rolled_back(counted(metrics, kUnits, kUnitsHelp, source, "rolled_back")),
      units_failed(counted(metrics, kUnits, kUnitsHelp, source, "failed")),
      units_overdue(counted(metrics, kUnits, kUnitsHelp, source, "overdue")),
      units_lost(counted(metrics, kUnits, kUnitsHelp, source, "lost")),
      groups_committed(counted(metrics, kGroups, kGroupsHelp, source, "committed")),
      groups_rolled_back(counted(metrics, kGroups, kGroupsHelp, source, "rolled_back")),
      groups_lost(counted(metrics, kGroups, kGroupsHelp, source, "lost")),
      refused(metrics.counter("sluice_db_refused_total", "Units refused because the queue limit was reached",
                              {{"source", source}})),
      waiting(metrics.gauge("sluice_db_waiting", "Units that wait for the writer", {{"source", source}})),
      readers_in_use(metrics.gauge("sluice_db_readers_in_use", "Reading connections in use", {{"source", source}})),
      group_size(
          metrics.histogram("sluice_db_group_size", "Units per committed group", {{"source", source}}, size_buckets())),
      unit_wait(metrics.histogram("sluice_db_unit_wait_seconds", "From a unit's first request to its start",
                                  {{"source", source}})),
      unit_hold(metrics.histogram("sluice_db_unit_hold_seconds", "From a unit's start to its savepoint's end",
                                  {{"source", source}})),
      commit(metrics.histogram("sluice_db_commit_seconds", "COMMIT of a group", {{"source", source}})),
      reader_wait(
          metrics.histogram("sluice_db_reader_wait_seconds", "Wait for a reading connection", {{"source", source}})) {}

}  // namespace sluice::db::sqlite
