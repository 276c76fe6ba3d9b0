// Pooling of NumPy arrays in one and two dimensions, max pooling also in three.
#include "bind.h"

namespace dovetail {
namespace {

// A window as the core has it: five tuples (kernel, stride, padding, dilation, outs) of one to three numbers.
bool window_of(nb::handle window, PoolShape& s) {
    if (!PyTuple_Check(window.ptr()) || PyTuple_GET_SIZE(window.ptr()) != 5) return false;
    long *deep[5] = {&s.kd, &s.sd, &s.pd, &s.dd, &s.od}, *high[5] = {&s.kh, &s.sh, &s.ph, &s.dh, &s.oh},
         *wide[5] = {&s.kw, &s.sw, &s.pw, &s.dw, &s.ow};
    const long alone[5] = {1, 1, 0, 1, 1};
    for (int i = 0; i < 5; i++) {
        PyObject* pair = PyTuple_GET_ITEM(window.ptr(), i);
        const Py_ssize_t n = PyTuple_Check(pair) ? PyTuple_GET_SIZE(pair) : 0;
        if (n < 1 || n > 3) return false;
        *deep[i] = n == 3 ? PyLong_AsLong(PyTuple_GET_ITEM(pair, 0)) : alone[i];
        *high[i] = n >= 2 ? PyLong_AsLong(PyTuple_GET_ITEM(pair, n - 2)) : alone[i];
        *wide[i] = PyLong_AsLong(PyTuple_GET_ITEM(pair, n - 1));
        if (PyErr_Occurred()) {
            PyErr_Clear();
            return false;
        }
    }
    return true;
}

// (N, C, L), (N, C, H, W) or (N, C, D, H, W), not empty.
bool planes(nb::handle h, int spatial) { return is_array(h) && Array(h).ndim() == spatial + 2 && Array(h).count() > 0; }
int spatial_of(nb::handle window) { return (int)PyTuple_GET_SIZE(PyTuple_GET_ITEM(window.ptr(), 0)); }
void sizes(const Array& x, PoolShape& s) {
    s.planes = x.size(0) * x.size(1), s.d = x.ndim() == 5 ? x.size(2) : 1, s.h = x.ndim() >= 4 ? x.size(-2) : 1, s.w = x.size(-1);
}
nb::object result(const Array& x, long h, long w) {
    return x.ndim() == 4 ? fresh({x.size(0), x.size(1), h, w}, x.type()) : fresh({x.size(0), x.size(1), w}, x.type());
}
double work(const PoolShape& s) { return double(s.planes) * (s.d * s.h * s.w + s.od * s.oh * s.ow * s.kd * s.kh * s.kw); }

nb::object max_pool(nb::handle input, nb::handle window) {
    PoolShape s;
    if (!window_of(window, s) || !planes(input, spatial_of(window)) || s.od < 1 || s.oh < 1 || s.ow < 1) return decline();
    Array x(input);
    sizes(x, s);
    return by_type(x, [&](auto t) {
        using T = decltype(t);
        nb::object whole = straight(input);
        nb::object out = x.ndim() == 5 ? fresh({x.size(0), x.size(1), s.od, s.oh, s.ow}, x.type()) : result(x, s.oh, s.ow);
        quietly(work(s), [&] { kernels<T>().pooling.max(s, Array(whole).data<T>(), Array(out).data<T>()); });
        return as_images(out, x);
    });
}

// The gradient of max_pool: of its result, by its input.
nb::object max_pool_grad(nb::handle grad, nb::handle input, nb::handle y, nb::handle window) {
    PoolShape s;
    if (!window_of(window, s) || !planes(input, spatial_of(window)) || !is_array(grad) || !is_array(y)) return decline();
    Array x(input);
    sizes(x, s);
    if (Array(grad).type() != x.type() || Array(y).type() != x.type() || Array(grad).count() != s.planes * s.od * s.oh * s.ow)
        return decline();
    return by_type(x, [&](auto t) {
        using T = decltype(t);
        nb::object g = straight(grad), whole = straight(input), top = straight(y), out = fresh_like(x);
        quietly(work(s), [&] {
            kernels<T>().pooling.max_grad(s, Array(g).data<T>(), Array(whole).data<T>(), Array(top).data<T>(), Array(out).data<T>());
        });
        return out;
    });
}

// What sums are divided by: a number, or an array of one for each window.
template <class T> bool divisor(nb::handle count, const PoolShape& s, int type, T& one, const T*& each, nb::object& keep) {
    each = nullptr;
    if (is_array(count)) {
        Array c(count);
        if (c.type() != type || c.count() != s.oh * s.ow) return false;
        keep = straight(count);
        each = Array(keep).data<T>();
        return true;
    }
    if (!PyLong_Check(count.ptr()) && !PyFloat_Check(count.ptr())) return false;
    one = nb::cast<T>(count);
    return true;
}

nb::object avg_pool(nb::handle input, nb::handle window, nb::handle count) {
    PoolShape s;
    if (!window_of(window, s) || spatial_of(window) > 2 || !planes(input, spatial_of(window)) || s.oh < 1 || s.ow < 1) return decline();
    Array x(input);
    sizes(x, s);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        T one = 1;
        const T* each;
        nb::object keep;
        if (!divisor<T>(count, s, x.type(), one, each, keep)) return decline();
        nb::object whole = straight(input), out = result(x, s.oh, s.ow);
        quietly(work(s), [&] { kernels<T>().pooling.average(s, Array(whole).data<T>(), one, each, Array(out).data<T>()); });
        return as_images(out, x);
    });
}

nb::object avg_pool_grad(nb::handle grad, nb::tuple size, nb::handle window, nb::handle count) {
    PoolShape s;
    if (!window_of(window, s) || spatial_of(window) > 2 || !planes(grad, spatial_of(window)) || nb::len(size) != size_t(spatial_of(window)))
        return decline();
    Array g(grad);
    sizes(g, s);
    s.h = nb::len(size) == 2 ? nb::cast<long>(size[0]) : 1, s.w = nb::cast<long>(size[nb::len(size) - 1]);
    if (g.count() != s.planes * s.oh * s.ow || s.h * s.w < 1) return decline();
    return by_type(g, [&](auto t) -> nb::object {
        using T = decltype(t);
        T one = 1;
        const T* each;
        nb::object keep;
        if (!divisor<T>(count, s, g.type(), one, each, keep)) return decline();
        nb::object whole = straight(grad), out = result(g, s.h, s.w);
        quietly(work(s), [&] { kernels<T>().pooling.average_grad(s, Array(whole).data<T>(), one, each, Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

void bind_pooling(nb::module_& m) {
    m.def("max_pool", &max_pool);
    m.def("max_pool_grad", &max_pool_grad);
    m.def("avg_pool", &avg_pool);
    m.def("avg_pool_grad", &avg_pool_grad);
}

}  // namespace dovetail
