// The threads that kernels share: started at the first call that wants them, asleep when there is nothing to do.
#pragma once
#include <algorithm>
#include <type_traits>

namespace dovetail {

// How many threads work on a kernel, the caller counted. 1 means that nothing is ever started.
int threads();
void set_threads(int count);

// Call task(index, worker) for every index below count, each once; worker is below threads(). Returns when all are done;
// an exception of a task keeps others from being begun, and is thrown again here.
//
// Threads take the next index when they are free, so tasks may differ in length. A call from within a task, or while
// another thread's call is running, runs alone on the caller.
void run(long count, void (*task)(void* context, long index, int worker), void* context);

template <class F> void parallel(long count, F&& task) {
    using Task = std::remove_reference_t<F>;
    run(
        count, [](void* context, long index, int worker) { (*static_cast<Task*>(context))(index, worker); },
        const_cast<void*>(static_cast<const void*>(&task)));
}

// Call task(first, last) on parts of the range [0, count) of at least `grain` elements, a few for each thread.
template <class F> void parallel_range(long count, long grain, F&& task) {
    long workers = threads();
    long parts = workers == 1 ? 1 : std::min<long>((count + grain - 1) / std::max<long>(grain, 1), workers * 2);
    if (parts <= 1) {
        if (count > 0) task(0L, count);
        return;
    }
    parallel(parts, [&](long i, int) { task(count * i / parts, count * (i + 1) / parts); });
}

// Memory of this thread that lasts until its next use, 64-byte aligned, for what has a bounded size: what grows with the
// arguments is Temporary (allocator.h). A slot for each thing that is needed at one time.
enum Slot { SLOT_A, SLOT_1, SLOT_2, SLOT_3, SLOT_4, SLOT_5 };
void* scratch_bytes(int slot, size_t bytes);
template <class T> T* scratch(int slot, long count) { return static_cast<T*>(scratch_bytes(slot, sizeof(T) * (size_t)count)); }

}  // namespace dovetail
