#include "sluice/live/internal/tenant_reader.hpp"

#include <exception>
#include <utility>

#include "sluice/core/error.hpp"
#include "sluice/runtime/foreign.hpp"

namespace sluice::live::internal {
namespace {

template <class T>
runtime::Task<void> answer_with(std::function<runtime::Task<T>(projection::Projections&)> question,
                                projection::Projections* projections, runtime::Answer<T> answer) {
    std::exception_ptr error;
    std::optional<T> value;
    try {
        value.emplace(co_await question(*projections));
    } catch (...) {
        error = std::current_exception();
    }
    if (error)
        answer(std::unexpected(error));
    else
        answer(std::move(*value));
}

}  // namespace

TenantReader::TenantReader(projection::Projections& projections, runtime::Shard& shard, core::Logger log)
    : projections_(&projections), shard_(shard), reads_(shard, std::move(log)) {
    for (const std::string& name : projections.names())
        event_names_.emplace(name, projections.event_name(name));
}

bool TenantReader::knows(const std::string& projection) const {
    return event_names_.contains(projection);
}

const std::string& TenantReader::event_name(const std::string& projection) const {
    return event_names_.at(projection);
}

template <class T>
runtime::Task<T> TenantReader::ask(Question<T> question) {
    const auto self = shared_from_this();
    auto start = [self, question = std::move(question)](runtime::Answer<T> answer) {
        self->shard_.post([self, question, answer = std::move(answer)]() mutable {
            // A scope that was cancelled drops the task, and with it the answer, which then is an error.
            auto work = answer_with<T>(std::move(question), self->projections_, std::move(answer));
            self->reads_.spawn("read of a projection", std::move(work));
        });
    };
    co_return co_await runtime::await_foreign<T>(std::move(start));
}

runtime::Task<projection::RawState> TenantReader::read(std::string projection, std::string key) {
    Question<projection::RawState> question = [projection = std::move(projection),
                                               key = std::move(key)](projection::Projections& all) {
        return all.read_raw(projection, key);
    };
    return ask<projection::RawState>(std::move(question));
}

runtime::Task<std::optional<std::vector<projection::RawDelta>>> TenantReader::range(std::string projection,
                                                                                    std::string key, core::Epoch epoch,
                                                                                    core::Version after,
                                                                                    core::Version to) {
    using Deltas = std::optional<std::vector<projection::RawDelta>>;
    Question<Deltas> question = [projection = std::move(projection), key = std::move(key), epoch, after,
                                 to](projection::Projections& all) {
        return all.range_raw(projection, key, epoch, after, to);
    };
    return ask<Deltas>(std::move(question));
}

runtime::Task<void> TenantReader::close() {
    const auto self = shared_from_this();
    self->reads_.cancel();
    co_await self->reads_.join();
}

}  // namespace sluice::live::internal
