// A caching allocator for the arrays that kernels return.
//
// A training step makes and drops the same arrays again and again; fresh pages cost more than what is computed on
// them. Freed blocks wait in lists by size class (an eighth of a power of two, so at most an eighth is wasted) up to a
// limit, above which they go back to the system. Arrays carry NumPy's own memory handler, so whoever drops the last
// reference returns the block here; nothing else of the process allocates here.
#include "allocator.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#endif

#include "array.h"

namespace dovetail {
namespace {

constexpr size_t HUGE = size_t(2) << 20;                        // a huge page: from here on, blocks have their own
constexpr size_t SHARED = size_t(64) << 10, REGION = 4 * HUGE;  // from here on, they are cut from regions of some
constexpr size_t SMALL = 64;
constexpr int CLASSES = 8 * 48;

// Kernels read rows that lie a page apart: without huge pages most of such reads wait for an address to be translated.
struct Region {
    char* start;
    size_t used;  // blocks are cut one after the other
    long blocks;  // not yet given back; at none the region goes to the system
};

struct Cache {
    std::mutex lock;
    std::vector<void*> waiting[CLASSES];
    size_t block[CLASSES] = {};   // the size of those that wait
    std::vector<Region> regions;  // the last is being cut
    MemoryStatistics now{};
    size_t limit = size_t(1) << 30;
};
Cache& cache() {
    static Cache* one = new Cache;  // never destroyed: arrays may outlive the module
    return *one;
}

#if defined(__linux__) || defined(__APPLE__)
// Another thread of the parent may have held the lock; in the child there is only this one.
const int registered = pthread_atfork(nullptr, nullptr, [] { new (&cache().lock) std::mutex; });
#endif

// The class of a size, and the size of its blocks.
int class_of(size_t bytes, size_t& block) {
    if (bytes <= SMALL) {
        block = SMALL;
        return 0;
    }
    int power = 63 - __builtin_clzll(bytes - 1);  // 2^power < bytes <= 2^(power+1)
    size_t step = std::max<size_t>((size_t(1) << power) / 8, SMALL);
    block = (bytes + step - 1) / step * step;
    return (power - 5) * 8 + (int)((block - (size_t(1) << power)) / step - 1) + 1;
}

void* huge_pages(size_t bytes) {
    bytes = (bytes + HUGE - 1) / HUGE * HUGE;
    void* p = std::aligned_alloc(HUGE, bytes);
#if defined(__linux__)
    if (p) madvise(p, bytes, MADV_HUGEPAGE);
#endif
    return p;
}

void* from_system(size_t block, std::vector<Region>& regions) {
    if (block < SHARED) return std::aligned_alloc(64, block);
    if (block >= HUGE) return huge_pages(block);
    if (regions.empty() || regions.back().used + block > REGION) {
        void* p = huge_pages(REGION);
        if (!p) return nullptr;
        regions.push_back({static_cast<char*>(p), 0, 0});
    }
    Region& region = regions.back();
    void* p = region.start + region.used;
    region.used += block, region.blocks++;
    return p;
}

void to_system(void* p, size_t block, std::vector<Region>& regions) {
    if (block < SHARED || block >= HUGE) return std::free(p);
    for (size_t i = 0; i < regions.size(); i++) {
        Region& region = regions[i];
        if (p < region.start || p >= region.start + REGION) continue;
        if (--region.blocks == 0) std::free(region.start), regions.erase(regions.begin() + long(i));
        return;
    }
}

// All that waits, to the system.
void give_back(Cache& store) {
    for (int c = 0; c < CLASSES; c++) {
        for (void* p : store.waiting[c]) to_system(p, store.block[c], store.regions);
        store.waiting[c].clear();
    }
    store.now.cached = 0;
}

}  // namespace

void* allocate(size_t bytes, bool array) {
    size_t block;
    int c = class_of(bytes, block);
    Cache& store = cache();
    std::lock_guard guard(store.lock);
    void* p;
    if (!store.waiting[c].empty()) {
        p = store.waiting[c].back();
        store.waiting[c].pop_back();
        store.now.cached -= block, store.now.hits++;
    } else {
        p = from_system(block, store.regions);
        if (!p && store.now.cached) give_back(store), p = from_system(block, store.regions);
        if (!p) return nullptr;
        store.now.misses++;
    }
    if (array) store.now.allocated += bytes;
    store.now.peak = std::max(store.now.peak, store.now.allocated);
    return p;
}

void release(void* p, size_t bytes, bool array) {
    if (!p) return;
    size_t block;
    int c = class_of(bytes, block);
    Cache& store = cache();
    std::lock_guard guard(store.lock);
    if (array) store.now.allocated -= bytes;
    if (store.now.cached + block > store.limit) {
        to_system(p, block, store.regions);
    } else {
        store.waiting[c].push_back(p);
        store.block[c] = block;
        store.now.cached += block;
    }
}

void empty_cache() {
    std::lock_guard guard(cache().lock);
    give_back(cache());
}

void set_cache_limit(size_t bytes) {
    cache().limit = bytes;
    if (!bytes) empty_cache();
}

MemoryStatistics memory_statistics() {
    std::lock_guard guard(cache().lock);
    return cache().now;
}

void reset_peak() {
    std::lock_guard guard(cache().lock);
    cache().now.peak = cache().now.allocated;
}

namespace {

// NumPy's view of the allocator. It frees with the size of the data, which is never 0 there.
void* numpy_malloc(void*, size_t bytes) { return allocate(bytes); }
void* numpy_calloc(void*, size_t count, size_t each) {
    void* p = allocate(count * each);
    if (p) std::memset(p, 0, count * each);
    return p;
}
void numpy_free(void*, void* p, size_t bytes) { release(p, bytes); }
// Arrays are resized in place by ndarray.resize alone, which does not say how large the block was: never through here.
void* numpy_realloc(void*, void*, size_t) { return nullptr; }

PyDataMem_Handler handler = {"dovetail_cpu", 1, {nullptr, numpy_malloc, numpy_calloc, numpy_realloc, numpy_free}};

PyObject* capsule() {
    static PyObject* ours = PyCapsule_New(&handler, "mem_handler", nullptr);
    return ours;
}

}  // namespace

void count_numpy() {
    PyObject* before = PyDataMem_SetHandler(capsule());
    if (!before) throw nb::python_error();
    Py_DECREF(before);
}

// An array made around memory of ours, which then owns it: NumPy frees by the handler that an array carries. (Making
// the handler the current one would do the same, at the cost of two context variables for every array.)
static nb::object around(int ndim, const npy_intp* shape, int type, const npy_intp* strides = nullptr) {
    PyArray_Descr* descr = PyArray_DescrFromType(type);
    size_t bytes = (size_t)PyDataType_ELSIZE(descr);
    for (int i = 0; i < ndim; i++) bytes *= (size_t)shape[i];
    void* p = allocate(std::max<size_t>(bytes, 1));
    if (!p) {
        Py_DECREF(descr);
        PyErr_Format(PyExc_MemoryError, "cannot allocate %zu bytes", bytes);
        throw nb::python_error();
    }
    PyObject* array = PyArray_NewFromDescr(&PyArray_Type, descr, ndim, shape, strides, p, NPY_ARRAY_CARRAY, nullptr);
    if (!array) {
        release(p, std::max<size_t>(bytes, 1));
        throw nb::python_error();
    }
    reinterpret_cast<PyArrayObject_fields*>(array)->mem_handler = Py_NewRef(capsule());
    PyArray_ENABLEFLAGS(reinterpret_cast<PyArrayObject*>(array), NPY_ARRAY_OWNDATA);
    return nb::steal(array);
}

nb::object fresh(int ndim, const npy_intp* shape, int type) { return around(ndim, shape, type); }
nb::object fresh_as(const Array& x) { return around(x.ndim(), x.shape(), x.type(), x.contiguous() ? nullptr : PyArray_STRIDES(x.a)); }

bool overlap(const Array& a, const Array& b) {
    auto stretch = [](const Array& x, const char*& low, const char*& high) {
        low = high = x.data<char>();
        for (int d = 0; d < x.ndim(); d++) {
            const npy_intp way = PyArray_STRIDE(x.a, d) * (x.size(d) - 1);
            (way < 0 ? low : high) += way;
        }
        high += PyArray_ITEMSIZE(x.a);
    };
    const char *low[2], *high[2];
    stretch(a, low[0], high[0]), stretch(b, low[1], high[1]);
    return a.count() && b.count() && low[0] < high[1] && low[1] < high[0];
}

}  // namespace dovetail
