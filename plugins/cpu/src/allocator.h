// Memory that is kept for the next array of its size instead of going back to the system.
#pragma once
#include <cstddef>
#include <cstdio>
#include <new>

namespace dovetail {

struct MemoryStatistics {
    size_t allocated, cached, peak;  // bytes that arrays asked for, bytes waiting, the most that arrays asked for at one time
    size_t hits, misses;             // requests served from what was waiting, and from the system
};

// 64-byte aligned; null when the system has no more. What no array holds, room for one call, is not counted as allocated.
void* allocate(size_t bytes, bool array = true);
void release(void* p, size_t bytes, bool array = true);

// There is no more memory; Python sees a MemoryError with this text.
class NoMemory : public std::bad_alloc {
    char text[48];

  public:
    explicit NoMemory(size_t bytes) { std::snprintf(text, sizeof text, "cannot allocate %zu bytes", bytes); }
    const char* what() const noexcept override { return text; }
};

// Room for one call, returned at its end: for what grows with the arguments and so should not stay, as scratch memory does.
// Raises NoMemory.
template <class T> class Temporary {
    size_t bytes;
    T* p;

  public:
    explicit Temporary(long count) : bytes(sizeof(T) * size_t(count)), p(static_cast<T*>(allocate(bytes, false))) {
        if (!p) throw NoMemory(bytes);
    }
    ~Temporary() { release(p, bytes, false); }
    Temporary(const Temporary&) = delete;
    operator T*() const { return p; }
};

void empty_cache();
void set_cache_limit(size_t bytes);  // 0: nothing is kept
MemoryStatistics memory_statistics();
void reset_peak();   // the peak is counted from what is allocated now
void count_numpy();  // arrays that NumPy makes in this context come from here too; those cannot be resized in place

}  // namespace dovetail
