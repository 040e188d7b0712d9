// For tests: the definitions of the sample projections, compiled once (test_world.cpp), because they are most of what a
// source of tests would cost.
#pragma once

#include <memory>

#include "sluice/projection/test_sample_projections.hpp"
#include "sluice/projection/typed_definition.hpp"

namespace sluice::projection {

extern template std::shared_ptr<const Definition> define<sample::StockLevel>(sample::StockLevel);
extern template std::shared_ptr<const Definition> define<sample::Journal>(sample::Journal);
extern template std::shared_ptr<const Definition> define<sample::ShortJournal>(sample::ShortJournal);

}  // namespace sluice::projection
