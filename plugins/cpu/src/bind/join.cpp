// Joining NumPy arrays along a dimension: runs of memory copied on all threads.
#include <cstring>
#include <vector>

#include "../pool.h"
#include "bind.h"

namespace dovetail {
namespace {

// cat(tensors, dim) of contiguous arrays of one type
nb::object cat(nb::list arrays, long dim) {
    const size_t count = nb::len(arrays);
    if (count < 2 || !is_array(arrays[0])) return decline();
    const Array first(arrays[0]);
    const int n = first.ndim();
    if (dim < 0) dim += n;
    if (n < 1 || dim < 0 || dim >= n) return decline();
    std::vector<npy_intp> shape(first.shape(), first.shape() + n);
    shape[size_t(dim)] = 0;
    for (nb::handle h : arrays) {
        if (!is_array(h)) return decline();
        const Array a(h);
        if (a.ndim() != n || a.type() != first.type() || !a.contiguous() || !a.aligned() || !a.count()) return decline();
        for (int d = 0; d < n; d++)
            if (d != dim && a.size(d) != first.size(d)) return decline();
        shape[size_t(dim)] += a.size((int)dim);
    }
    if (first.type() != NPY_FLOAT32 && first.type() != NPY_FLOAT64) return decline();
    nb::object out = fresh(n, shape.data(), first.type());
    const long item = PyArray_ITEMSIZE(first.a), whole = Array(out).count() * item;
    long outer = 1;
    for (int d = 0; d < dim; d++) outer *= shape[size_t(d)];
    if (!outer) return out;
    struct Run {
        const char* from;
        long bytes, at;  // of each of the outer rows; where it begins in a row of the result
    };
    std::vector<Run> runs;
    long row = 0;
    for (nb::handle h : arrays) {
        const long bytes = Array(h).count() * item / outer;
        runs.push_back({Array(h).data<char>(), bytes, row});
        row += bytes;
    }
    char* to = Array(out).data<char>();
    quietly(double(whole) / 8, [&] {
        if (outer == 1) {
            for (const Run& r : runs)
                parallel_range(r.bytes, 1 << 17, [&](long a, long b) { std::memcpy(to + r.at + a, r.from + a, size_t(b - a)); });
            return;
        }
        parallel_range(outer, std::max(1L, (1 << 16) / row), [&](long i, long end) {
            for (; i < end; i++)
                for (const Run& r : runs) std::memcpy(to + i * row + r.at, r.from + i * r.bytes, size_t(r.bytes));
        });
    });
    return out;
}

}  // namespace

void bind_join(nb::module_& m) { m.def("cat", &cat); }

}  // namespace dovetail
