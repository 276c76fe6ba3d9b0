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

// Pairs of words, the high one first: their lower 53 bits as a number of [0, 1), in float64; None where it is Python's.
nb::object fractions53(nb::handle words) {
    if (!is_array(words)) return nb::none();
    const Array w(words);
    if (w.type() != NPY_UINT32 || w.ndim() != 1 || w.count() % 2 || !w.contiguous() || !w.aligned()) return nb::none();
    nb::object out = fresh({npy_intp(w.count() / 2)}, NPY_FLOAT64);
    quietly(double(w.count()), [&] { kernels<double>().random.fractions53(w.data<uint32_t>(), w.count() / 2, Array(out).data<double>()); });
    return out;
}

// The draws of a Mersenne Twister's next `count` blocks; its key becomes that of the last one.
nb::object twisted(nb::handle key, long count) {
    if (!is_array(key) || Array(key).type() != NPY_UINT32 || Array(key).count() != TWISTER || !Array(key).contiguous() || count < 1)
        throw nb::value_error("twisted: the key must be 624 words, for one block or more");
    nb::object out = fresh({npy_intp(count * TWISTER)}, NPY_UINT32);
    quietly(double(count) * TWISTER, [&] { kernels<float>().random.twisted(Array(key).data<uint32_t>(), count, Array(out).data<uint32_t>()); });
    return out;
}

// x · mask · scale with a mask of bools that lies as x does; None where it is Python's.
nb::object kept(nb::handle input, nb::handle mask, double scale) {
    if (!is_array(input) || !is_array(mask)) return nb::none();
    const Array x(input), m(mask);
    const bool alike = m.type() == NPY_BOOL && x.ndim() == m.ndim() && std::equal(x.shape(), x.shape() + x.ndim(), m.shape());
    if (!alike || !x.contiguous() || !m.contiguous() || !x.aligned()) return nb::none();
    nb::object out = by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object made = fresh_like(x);
        quietly(double(x.count()), [&] {
            kernels<T>().random.kept(x.data<T>(), m.data<bool>(), T(scale), x.count(), Array(made).data<T>());
        });
        return made;
    });
    return out.is(decline()) ? nb::none() : out;
}

}  // namespace

void bind_random(nb::module_& m) {
    m.def("box_muller", &box_muller, nb::arg("blocks"), nb::arg("mean"), nb::arg("std"));
    m.def("exchanged", &exchanged, nb::arg("n"), nb::arg("words"));
    m.def("fractions", &fractions, nb::arg("words"));
    m.def("fractions53", &fractions53, nb::arg("words"));
    m.def("twisted", &twisted, nb::arg("key"), nb::arg("count"));
    m.def("kept", &kept, nb::arg("input"), nb::arg("mask"), nb::arg("scale"));
}

}  // namespace dovetail
