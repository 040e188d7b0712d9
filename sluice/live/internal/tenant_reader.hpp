// Reads of one tenant's projections from any shard: the question travels to the projections' shard and the answer back.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/core/log.hpp"
#include "sluice/projection/runtime.hpp"
#include "sluice/runtime/scope.hpp"
#include "sluice/runtime/shard.hpp"
#include "sluice/runtime/task.hpp"

namespace sluice::live::internal {

/// Shared by the channels that read and the messages on their way.
class TenantReader : public std::enable_shared_from_this<TenantReader> {
public:
    /// On `shard`, where `projections` lives.
    TenantReader(projection::Projections& projections, runtime::Shard& shard, core::Logger log);

    /// Any thread.
    [[nodiscard]] bool knows(const std::string& projection) const;
    [[nodiscard]] const std::string& event_name(const std::string& projection) const;

    /// On any shard.
    runtime::Task<projection::RawState> read(std::string projection, std::string key);
    runtime::Task<std::optional<std::vector<projection::RawDelta>>> range(std::string projection, std::string key,
                                                                          core::Epoch epoch, core::Version after,
                                                                          core::Version to);
    /// Ends reading; on the projections' shard.
    runtime::Task<void> close();

private:
    template <class T>
    using Question = std::function<runtime::Task<T>(projection::Projections&)>;
    template <class T>
    runtime::Task<T> ask(Question<T> question);

    projection::Projections* projections_;
    runtime::Shard& shard_;
    runtime::TaskScope reads_;
    std::map<std::string, std::string> event_names_;  ///< of every projection there is
};

}  // namespace sluice::live::internal
