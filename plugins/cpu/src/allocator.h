// Memory that is kept for the next array of its size instead of going back to the system.
#pragma once
#include <cstddef>

namespace dovetail {

struct MemoryStatistics {
    size_t allocated, cached, peak;  // bytes in arrays, bytes waiting, most that arrays held
    size_t hits, misses;             // requests served from what was waiting, and from the system
};

void* allocate(size_t bytes);  // 64-byte aligned; null when the system has no more
void release(void* p, size_t bytes);
void empty_cache();
void set_cache_limit(size_t bytes);  // 0: nothing is kept
MemoryStatistics memory_statistics();

}  // namespace dovetail
