// Activations and losses made of a few pieces, of NumPy arrays.
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

bool dense(const Array& x) { return is_array(nb::handle((PyObject*)x.a)) && x.aligned() && x.contiguous(); }

// curve(kind, x, a, b, c); curve_ writes over x
template <bool INTO> nb::object value(int kind, nb::handle input, double a, double b, double c) {
    if (!is_array(input) || !dense(Array(input))) return decline();
    Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = INTO ? nb::borrow(input) : fresh_like(x);
        const Shape s{a, b, c};
        quietly(double(x.count()) * 2, [&] { kernels<T>().curves.value(Curve(kind), s, x.data<T>(), Array(out).data<T>(), x.count()); });
        return out;
    });
}

// slope(kind, grad, x, a, b, c): grad of the shape of x, or a single number
nb::object slope(int kind, nb::handle grad, nb::handle input, double a, double b, double c) {
    if (!is_array(grad) || !is_array(input)) return decline();
    Array g(grad), x(input);
    bool alike = g.ndim() == x.ndim();
    for (int d = 0; alike && d < x.ndim(); d++) alike = g.size(d) == x.size(d);
    if (g.type() != x.type() || !dense(x) || (!alike && g.ndim())) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(grad), out = fresh_like(x);
        const Shape s{a, b, c};
        if (!x.count()) return out;
        quietly(double(x.count()) * 2, [&] {
            kernels<T>().curves.slope(Curve(kind), s, Array(whole).data<T>(), alike, x.data<T>(), Array(out).data<T>(), x.count());
        });
        return out;
    });
}

// (outer, 2, inner) around a dimension whose size is even.
bool halved(nb::handle h, long dim, long& outer, long& inner) {
    if (!is_array(h) || !dense(Array(h)) || !Array(h).count()) return false;
    const Array x(h);
    const int at = int(dim < 0 ? dim + x.ndim() : dim);
    if (at < 0 || at >= x.ndim() || x.size(at) % 2) return false;
    outer = 1, inner = x.size(at) / 2;
    for (int d = 0; d < x.ndim(); d++) (d < at ? outer : inner) *= d == at ? 1 : x.size(d);
    return true;
}

// glu(input, dim): the first half along `dim` times the sigmoid of the second
nb::object glu(nb::handle input, long dim) {
    long outer, inner;
    if (!halved(input, dim, outer, inner)) return decline();
    const Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        std::vector<npy_intp> shape(x.shape(), x.shape() + x.ndim());
        shape[size_t(dim < 0 ? dim + x.ndim() : dim)] /= 2;
        nb::object out = fresh(x.ndim(), shape.data(), x.type());
        quietly(double(x.count()) * 4, [&] { kernels<T>().curves.gate(outer, inner, x.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

// glu_grad(grad, input, dim)
nb::object glu_grad(nb::handle grad, nb::handle input, long dim) {
    long outer, inner;
    if (!is_array(grad) || !halved(input, dim, outer, inner)) return decline();
    const Array x(input);
    if (Array(grad).type() != x.type() || Array(grad).count() != outer * inner) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object g = straight(grad), out = fresh_like(x);
        const T *from = Array(g).data<T>(), *at = x.data<T>();
        T* to = Array(out).data<T>();
        quietly(double(x.count()) * 4, [&] { kernels<T>().curves.gate_grad(outer, inner, from, at, to); });
        return out;
    });
}

}  // namespace

void bind_curves(nb::module_& m) {
    m.def("curve", &value<false>);
    m.def("curve_", &value<true>);
    m.def("slope", &slope);
    m.def("glu", &glu);
    m.def("glu_grad", &glu_grad);
}

}  // namespace dovetail
