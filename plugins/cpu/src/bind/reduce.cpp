// Sums, means, and running sums and products of NumPy arrays.
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// Dimensions that are summed, as (outer, kept, inner); false where they do not lie so: then the reference serves.
bool lay_out(const Array& x, const std::vector<bool>& gone, long& outer, long& kept, long& inner) {
    const int n = x.ndim();
    int d = 0;
    outer = kept = inner = 1;
    for (; d < n && (gone[size_t(d)] || x.size(d) == 1); d++) outer *= x.size(d);
    for (; d < n && (!gone[size_t(d)] || x.size(d) == 1); d++) kept *= x.size(d);
    for (; d < n && (gone[size_t(d)] || x.size(d) == 1); d++) inner *= x.size(d);
    if (kept == 1) outer *= inner, inner = 1;
    return d == n;
}

bool dimensions(nb::handle dim, int n, std::vector<bool>& gone) {
    gone.assign(size_t(n), dim.is_none());
    auto one = [&](PyObject* o) {
        if (!PyLong_CheckExact(o)) return false;
        long d = PyLong_AsLong(o);
        if (d < -n || d >= n || gone[size_t(d < 0 ? d + n : d)]) return false;
        gone[size_t(d < 0 ? d + n : d)] = true;
        return true;
    };
    if (dim.is_none()) return true;
    if (PyLong_CheckExact(dim.ptr())) return one(dim.ptr());
    if (!PyTuple_CheckExact(dim.ptr()) || !PyTuple_GET_SIZE(dim.ptr())) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(dim.ptr()); i++)
        if (!one(PyTuple_GET_ITEM(dim.ptr(), i))) return false;
    return true;
}

template <class T> nb::object summed(const Array& x, const std::vector<bool>& gone, const std::vector<npy_intp>& shape, bool mean) {
    long outer, kept, inner;
    if (!lay_out(x, gone, outer, kept, inner) || !x.count()) return decline();
    nb::object out = fresh((int)shape.size(), shape.data(), x.type());
    quietly(double(x.count()), [&] {
        kernels<T>().reduce.sum(outer, kept, inner, x.data<T>(), mean ? T(1.0 / double(outer * inner)) : T(1), Array(out).data<T>());
    });
    return out;
}

// sum(input, dim, keepdim, dtype), mean likewise
template <bool MEAN> nb::object reduce(nb::handle input, nb::handle dim, bool keepdim, nb::handle dtype) {
    if (!is_array(input) || !dtype.is_none()) return decline();
    Array x(input);
    std::vector<bool> gone;
    if (!x.contiguous() || !x.aligned() || !dimensions(dim, x.ndim(), gone)) return decline();
    std::vector<npy_intp> shape;
    for (int d = 0; d < x.ndim(); d++) {
        if (!gone[size_t(d)]) shape.push_back(x.size(d));
        else if (keepdim) shape.push_back(1);
    }
    return by_type(x, [&](auto t) { return summed<decltype(t)>(x, gone, shape, MEAN); });
}

// sum_to(input, shape): what broadcasting from `shape` had repeated is summed.
nb::object sum_to(nb::handle input, nb::tuple to) {
    if (!is_array(input)) return decline();
    Array x(input);
    const int k = x.ndim() - (int)nb::len(to);
    if (!x.contiguous() || !x.aligned() || k < 0) return decline();
    std::vector<bool> gone(size_t(x.ndim()), false);
    std::vector<npy_intp> shape;
    for (int d = 0; d < x.ndim(); d++) {
        const long size = d < k ? 1 : nb::cast<long>(to[size_t(d - k)]);
        if (d >= k) shape.push_back(size);
        gone[size_t(d)] = d < k || (size == 1 && x.size(d) != 1);
        if (!gone[size_t(d)] && size != x.size(d)) return decline();
    }
    return by_type(x, [&](auto t) { return summed<decltype(t)>(x, gone, shape, false); });
}

// A contiguous array as (outer, n, inner) around a dimension.
bool around(const Array& x, long dim, long& outer, long& n, long& inner) {
    const int at = int(dim < 0 ? dim + x.ndim() : dim);
    if (!x.contiguous() || !x.aligned() || at < 0 || at >= x.ndim() || !x.count()) return false;
    outer = inner = 1, n = x.size(at);
    for (int d = 0; d < x.ndim(); d++) (d < at ? outer : inner) *= d == at ? 1 : x.size(d);
    return true;
}

// cumsum(input, dim, dtype), cumprod likewise
template <bool PRODUCT> nb::object running(nb::handle input, long dim, nb::handle dtype) {
    long outer, n, inner;
    if (!is_array(input) || !dtype.is_none() || !around(Array(input), dim, outer, n, inner)) return decline();
    Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = fresh_like(x);
        const auto& k = kernels<T>().reduce;
        quietly(double(x.count()), [&] { (PRODUCT ? k.products : k.running)(outer, n, inner, x.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

// cumprod_grad(grad, input, dim) of two arrays of one shape
nb::object cumprod_grad(nb::handle grad, nb::handle input, long dim) {
    if (!is_array(grad) || !is_array(input) || Array(grad).type() != Array(input).type()) return decline();
    nb::object whole = straight(input), g = straight(grad);
    Array x(whole);
    long outer, n, inner;
    if (!around(x, dim, outer, n, inner) || Array(g).count() != x.count()) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = fresh_like(x);
        quietly(double(x.count()) * 2,
                [&] { kernels<T>().reduce.products_grad(outer, n, inner, Array(g).data<T>(), x.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

void bind_reduce(nb::module_& m) {
    m.def("sum", &reduce<false>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg().none());
    m.def("mean", &reduce<true>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg().none());
    m.def("sum_to", &sum_to);
    m.def("cumsum", &running<false>, nb::arg(), nb::arg(), nb::arg().none());
    m.def("cumprod", &running<true>, nb::arg(), nb::arg(), nb::arg().none());
    m.def("cumprod_grad", &cumprod_grad);
}

}  // namespace dovetail
