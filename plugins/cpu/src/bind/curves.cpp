// Activations and losses made of a few pieces, of NumPy arrays.
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

}  // namespace

void bind_curves(nb::module_& m) {
    m.def("curve", &value<false>);
    m.def("curve_", &value<true>);
    m.def("slope", &slope);
}

}  // namespace dovetail
