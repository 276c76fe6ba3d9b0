// What follows the draws of the core's random streams; each function declines what only its Python knows.
#include <cstdint>

#include "bind.h"

namespace dovetail {
namespace {

// Whether rows of sixteen, float32, were turned into normals.
bool box_muller(nb::handle blocks, double mean, double std) {
    if (!is_array(blocks)) return false;
    const Array a(blocks);
    if (a.type() != NPY_FLOAT32 || a.ndim() != 2 || a.size(1) != 16 || !a.contiguous() || !a.aligned()) return false;
    quietly(double(a.count()) * 20, [&] { kernels<float>().random.box_muller(a.data<float>(), a.size(0), float(mean), float(std)); });
    return true;
}

// The permutation of n numbers that exchanges place i with i + words[i] mod (n - i), for rising i; None where it is Python's.
nb::object exchanged(long n, nb::handle words) {
    if (!is_array(words)) return nb::none();
    const Array w(words);
    if (w.type() != NPY_UINT32 || w.ndim() != 1 || w.size(0) != n - 1 || !w.contiguous() || !w.aligned()) return nb::none();
    nb::object out = fresh({npy_intp(n)}, NPY_INT64);
    quietly(double(n) * 4, [&] {
        auto* order = Array(out).data<int64_t>();
        const auto* draws = w.data<uint32_t>();
        for (long i = 0; i < n; i++) order[i] = i;
        for (long i = 0; i + 1 < n; i++) std::swap(order[i], order[i + long(draws[i] % uint32_t(n - i))]);
    });
    return out;
}

// The lower 24 bits of each word as a number of [0, 1), in float32; None where it is Python's.
nb::object fractions(nb::handle words) {
    if (!is_array(words)) return nb::none();
    const Array w(words);
    if (w.type() != NPY_UINT32 || w.ndim() != 1 || !w.contiguous() || !w.aligned()) return nb::none();
    nb::object out = fresh({npy_intp(w.count())}, NPY_FLOAT32);
    quietly(double(w.count()), [&] {
        auto* to = Array(out).data<float>();
        const auto* draws = w.data<uint32_t>();
        for (long i = 0, n = w.count(); i < n; i++) to[i] = float(int32_t(draws[i] & 0xFFFFFF)) * 0x1p-24f;
    });
    return out;
}

}  // namespace

void bind_random(nb::module_& m) {
    m.def("box_muller", &box_muller, nb::arg("blocks"), nb::arg("mean"), nb::arg("std"));
    m.def("exchanged", &exchanged, nb::arg("n"), nb::arg("words"));
    m.def("fractions", &fractions, nb::arg("words"));
}

}  // namespace dovetail
