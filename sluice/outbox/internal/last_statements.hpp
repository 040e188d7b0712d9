// Statements of a unit that travel with its COMMIT.
#pragma once

#include <utility>
#include <vector>

#include "sluice/db/unit_of_work.hpp"

namespace sluice::outbox {

/// For a unit without savepoints.
class LastStatements final : public db::UnitAttachment {
public:
    void add(db::Statement statement) { statements_.push_back(std::move(statement)); }

    void mark() override {}
    void rollback_to_mark() override {}
    void release_mark() override {}
    std::vector<db::Statement> flush(db::UnitOfWork&) override { return std::exchange(statements_, {}); }

private:
    std::vector<db::Statement> statements_;
};

}  // namespace sluice::outbox
