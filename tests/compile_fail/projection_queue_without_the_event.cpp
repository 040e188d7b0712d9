// expect: 'Event' has an alternative that none of the queues carries
#include "sluice/projection/runtime.hpp"
#include "sluice/projection/test_sample_projections.hpp"

using namespace sluice::projection;

#ifdef MENDED
using Carried = sample::StockEvent;
#else
using Carried = std::variant<sample::OrderPlaced>;
#endif

void wire(Projections& projections, const sluice::outbox::Queue<Carried>& queue) {
    projections.add<sample::StockLevel>(queue);
}
