// Threads and memory, as Python asks about them.
#include <nanobind/stl/string.h>

#include "../allocator.h"
#include "../pool.h"
#include "bind.h"

namespace dovetail {

void bind_memory(nb::module_& m) {
    m.def("get_num_threads", &threads);
    m.def("set_num_threads", &set_threads);
    m.def("empty_cache", &empty_cache);
    m.def("set_cache_limit", &set_cache_limit);
    m.def("reset_peak", &reset_peak);
    m.def("count_numpy", &count_numpy);
    m.def("memory_stats", [] {
        MemoryStatistics now = memory_statistics();
        nb::dict d;
        d["allocated"] = now.allocated, d["cached"] = now.cached, d["peak"] = now.peak;
        d["hits"] = now.hits, d["misses"] = now.misses;
        return d;
    });
    m.def("instruction_set", [] { return std::string(instruction_set()->name); });
}

}  // namespace dovetail
