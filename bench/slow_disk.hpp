// A disk whose synchronisation takes longer: what a commit costs on most machines, measured on one with a fast disk.
#pragma once

#include <chrono>

namespace sluice::bench {

/// From now on every xSync of every SQLite connection that this process opens takes `latency` longer than the disk
/// needs; zero takes it back. The data is really synchronised. Any thread.
void slow_every_sync(std::chrono::microseconds latency);

}  // namespace sluice::bench
