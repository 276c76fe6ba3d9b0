// A small thread pool: workers spin for a moment after a job, as the next one usually follows at once, then sleep.
#include "pool.h"

#include "allocator.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#define HAVE_FORK 1
#endif

namespace dovetail {
namespace {

constexpr int SPINS = 4000;  // about 0.1 ms
constexpr uint32_t OPEN = 1u << 31;

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct Pool {
    std::vector<std::thread> workers;
    std::atomic<uint32_t> job{0};   // counts the jobs; workers wait for it to change
    std::atomic<uint32_t> gate{0};  // OPEN while there is a job to join, and how many workers are inside
    std::atomic<int> sleeping{0};
    std::atomic<long> next{0};  // the next index to take
    std::atomic<bool> leave{false};
    long count = 0;
    void (*task)(void*, long, int) = nullptr;
    void* context = nullptr;

    std::atomic<bool> failed{false};
    std::exception_ptr error;  // the first, read by the caller when all have finished

    void work(int worker) {
        try {
            for (long i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(context, i, worker);
        } catch (...) {
            if (!failed.exchange(true)) error = std::current_exception();
            next.store(count, std::memory_order_relaxed);
        }
    }
    // A worker that wakes up late finds the job closed; nobody has waited for it.
    bool join() {
        uint32_t now = gate.load(std::memory_order_acquire);
        while (now & OPEN)
            if (gate.compare_exchange_weak(now, now + 1, std::memory_order_acquire)) return true;
        return false;
    }
    void loop(int worker, uint32_t seen) {
        for (;;) {
            for (int spin = 0; job.load(std::memory_order_acquire) == seen; spin++) {
                if (spin < SPINS) {
                    relax();
                } else {
                    sleeping.fetch_add(1);
                    job.wait(seen);
                    sleeping.fetch_sub(1);
                }
            }
            seen = job.load(std::memory_order_acquire);
            if (leave.load(std::memory_order_acquire)) return;
            if (!join()) continue;
            work(worker);
            gate.fetch_sub(1, std::memory_order_release);
        }
    }
    void start(int how_many) {
        uint32_t now = job.load();
        for (int i = 1; i < how_many; i++) workers.emplace_back([this, i, now] { loop(i, now); });
    }
    void stop() {
        leave.store(true);
        job.fetch_add(1);
        job.notify_all();
        for (auto& t : workers) t.join();
        workers.clear();
        leave.store(false);
    }
    void run(long n, void (*f)(void*, long, int), void* c) {
        count = n, task = f, context = c;
        next.store(0, std::memory_order_relaxed);
        gate.store(OPEN, std::memory_order_release);
        job.fetch_add(1);
        if (sleeping.load()) job.notify_all();
        work(0);
        gate.fetch_and(~OPEN, std::memory_order_acquire);
        for (int spin = 0; gate.load(std::memory_order_acquire); spin++) {
            relax();
            // A worker that was woken on this processor needs it: let it have it.
            if (spin > SPINS) sched_yield(), spin = 0;
        }
        if (failed.exchange(false)) std::rethrow_exception(std::exchange(error, nullptr));
    }
};

// Never destroyed: threads of a process that is ending are not waited for.
Pool* pool = new Pool;
int wanted = 0;
std::mutex lock;  // held by the one call that uses the pool
thread_local bool inside = false;

// For as long as tasks run on this thread.
struct Inside {
    const bool before = inside;
    Inside() { inside = true; }
    ~Inside() { inside = before; }
};

int from_environment() {
    if (const char* value = std::getenv("OMP_NUM_THREADS"))
        if (int n = std::atoi(value); n > 0) return n;
    return std::max(1u, std::thread::hardware_concurrency());
}

#ifdef HAVE_FORK
// A child of a fork has the memory of the pool and none of its threads: it begins with a new pool, started when needed.
void forget() {
    pool = new Pool;
    new (&lock) std::mutex;
    inside = false;
}
const int registered = pthread_atfork(nullptr, nullptr, forget);
#endif

}  // namespace

int threads() {
    if (!wanted) wanted = from_environment();
    return wanted;
}

void set_threads(int count) {
    std::lock_guard guard(lock);
    if (count == threads()) return;
    if (!pool->workers.empty()) pool->stop();
    wanted = count;
}

void run(long count, void (*task)(void*, long, int), void* context) {
    if (count > 1 && threads() > 1 && !inside && lock.try_lock()) {
        std::lock_guard guard(lock, std::adopt_lock);
        if (pool->workers.empty()) pool->start(threads());
        Inside now;
        pool->run(count, task, context);
        return;
    }
    Inside now;
    for (long i = 0; i < count; i++) task(context, i, 0);
}

void* scratch_bytes(int slot, size_t bytes) {
    struct Block {
        void* p = nullptr;
        size_t size = 0;
        ~Block() { std::free(p); }
    };
    static thread_local Block blocks[16];
    Block& block = blocks[slot];
    if (block.size < bytes) {
        std::free(block.p);
        block.size = (bytes + 4095) / 4096 * 4096;
        block.p = std::aligned_alloc(64, block.size);
        if (!block.p) {
            block.size = 0;
            throw NoMemory(bytes);
        }
    }
    return block.p;
}

}  // namespace dovetail
