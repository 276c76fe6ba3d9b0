// The draws of the core's random streams and what follows them; each function declines what only its Python knows.
#include <cmath>
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

// The state of NumPy's MT19937, at the address that its `ctypes` names; twin.py looks whether it lies so before the first draw.
struct Twister {
    uint32_t key[624];
    int32_t place;
};

// The key and the place of the state at an address, for a comparison with what NumPy says of it.
nb::object twister(size_t address) {
    const auto* state = reinterpret_cast<const Twister*>(address);
    nb::object key = fresh({624}, NPY_UINT32);
    std::copy_n(state->key, 624, Array(key).data<uint32_t>());
    return nb::make_tuple(key, state->place);
}

// The next `count` blocks of 624 draws of the engine whose state is at this address; None where a block of it is begun.
nb::object blocks(size_t address, long count) {
    auto* state = reinterpret_cast<Twister*>(address);
    if (state->place != 624) return nb::none();
    nb::object out = fresh({npy_intp(count) * 624}, NPY_UINT32);
    kernels<float>().random.twist(state->key, Array(out).data<uint32_t>(), count);  // with the interpreter's lock: one state, one thread
    return out;
}

// Pairs of draws, or None.
const uint32_t* pairs_of(nb::handle words, npy_intp& count) {
    if (!is_array(words)) return nullptr;
    const Array w(words);
    if (w.type() != NPY_UINT32 || w.ndim() != 1 || w.count() % 2 || !w.contiguous() || !w.aligned()) return nullptr;
    count = w.count() / 2;
    return w.data<uint32_t>();
}

// Whether the number of [0, 1) that each pair makes is less than p; None where it is Python's.
nb::object below(nb::handle words, double p) {
    npy_intp count = 0;
    const uint32_t* draws = pairs_of(words, count);
    if (!draws || !(p >= 0 && p <= 1)) return nb::none();
    nb::object out = fresh({count}, NPY_BOOL);
    const auto bound = uint64_t(std::ceil(p * 0x1p53));  // a number b 2^-53 is less than p just where b is less than this
    quietly(double(count), [&] { kernels<float>().random.below(draws, count, bound, Array(out).data<uint8_t>()); });
    return out;
}

// The lower 53 bits of each pair as a number of [0, 1); None where it is Python's.
nb::object doubles(nb::handle words) {
    npy_intp count = 0;
    const uint32_t* draws = pairs_of(words, count);
    if (!draws) return nb::none();
    nb::object out = fresh({count}, NPY_FLOAT64);
    quietly(double(count), [&] {
        auto* to = Array(out).data<double>();
        for (long i = 0; i < count; i++) to[i] = double(int64_t(uint64_t(draws[2 * i] & 0x1FFFFFu) << 32 | draws[2 * i + 1])) * 0x1p-53;
    });
    return out;
}

// input · mask · scale, with a mask of bools that lies as the input; None where it is Python's.
nb::object scaled(nb::handle input, nb::handle mask, double scale) {
    if (!is_array(input) || !is_array(mask)) return nb::none();
    const Array x(input), m(mask);
    if (m.type() != NPY_BOOL || !x.contiguous() || !m.contiguous() || !x.aligned() || m.ndim() != x.ndim()) return nb::none();
    for (int d = 0; d < x.ndim(); d++)
        if (m.size(d) != x.size(d)) return nb::none();
    if (x.type() != NPY_FLOAT32 && x.type() != NPY_FLOAT64) return nb::none();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = fresh_as(x);
        quietly(double(x.count()),
                [&] { kernels<T>().random.scaled(x.data<T>(), m.data<uint8_t>(), T(scale), x.count(), Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

void bind_random(nb::module_& m) {
    m.def("below", &below, nb::arg("words"), nb::arg("p"));
    m.def("blocks", &blocks, nb::arg("address"), nb::arg("count"));
    m.def("doubles", &doubles, nb::arg("words"));
    m.def("scaled", &scaled, nb::arg("input"), nb::arg("mask"), nb::arg("scale"));
    m.def("twister", &twister, nb::arg("address"));
    m.def("box_muller", &box_muller, nb::arg("blocks"), nb::arg("mean"), nb::arg("std"));
    m.def("exchanged", &exchanged, nb::arg("n"), nb::arg("words"));
    m.def("fractions", &fractions, nb::arg("words"));
}

}  // namespace dovetail
