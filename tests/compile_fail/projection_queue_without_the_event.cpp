// expect: 'Event' has an alternative that none of the queues carries
// lint: allow internal: the samples are the projection tests' own
#include "sluice/projection/internal/sample_projections.hpp"
#include "sluice/projection/runtime.hpp"

using namespace sluice::projection;

#ifdef MENDED
using Carried = sample::StockEvent;
#else
using Carried = std::variant<sample::OrderPlaced>;
#endif

void wire(Projections& projections, const sluice::outbox::Queue<Carried>& queue) {
    projections.add<sample::StockLevel>(queue);
}
