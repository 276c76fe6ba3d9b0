// Sums, means and embeddings of NumPy arrays.
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

// cumsum(input, dim, dtype)
nb::object cumsum(nb::handle input, long dim, nb::handle dtype) {
    if (!is_array(input) || !dtype.is_none()) return decline();
    Array x(input);
    const int n = x.ndim(), at = int(dim < 0 ? dim + n : dim);
    if (!x.contiguous() || !x.aligned() || at < 0 || at >= n || !x.count()) return decline();
    long outer = 1, inner = 1;
    for (int d = 0; d < at; d++) outer *= x.size(d);
    for (int d = at + 1; d < n; d++) inner *= x.size(d);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = fresh_like(x);
        quietly(double(x.count()), [&] { kernels<T>().reduce.running(outer, x.size(at), inner, x.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

// The positions of an embedding, all of them in the table; false otherwise.
bool positions(nb::handle index, long rows, nb::object& keep) {
    if (!is_array(index) || Array(index).type() != NPY_INT64) return false;
    keep = straight(index);
    const int64_t* p = Array(keep).data<int64_t>();
    for (long i = 0, n = Array(keep).count(); i < n; i++)
        if (p[i] < 0 || p[i] >= rows) return false;
    return true;
}

// embedding(weight, index, padding_idx, scale_grad_by_freq)
nb::object embedding(nb::handle weight, nb::handle index, nb::handle, nb::handle) {
    if (!is_array(weight) || Array(weight).ndim() != 2 || !Array(weight).contiguous()) return decline();
    Array w(weight);
    nb::object at;
    if (!positions(index, w.size(0), at) || !w.size(1)) return decline();
    return by_type(w, [&](auto t) {
        using T = decltype(t);
        Array i(at);
        std::vector<npy_intp> shape(i.shape(), i.shape() + i.ndim());
        shape.push_back(w.size(1));
        nb::object out = fresh((int)shape.size(), shape.data(), w.type());
        quietly(double(i.count()) * w.size(1),
                [&] { kernels<T>().reduce.take_rows(i.count(), w.size(1), w.data<T>(), i.data<int64_t>(), Array(out).data<T>()); });
        return out;
    });
}

// embedding_grad(grad, index, rows, padding_idx)
nb::object embedding_grad(nb::handle grad, nb::handle index, long rows, long padding) {
    nb::object at;
    if (!is_array(grad) || Array(grad).ndim() < 1 || !positions(index, rows, at)) return decline();
    const long width = Array(grad).size(-1);
    if (!width || Array(grad).count() != width * Array(at).count()) return decline();
    return by_type(Array(grad), [&](auto t) {
        using T = decltype(t);
        nb::object g = straight(grad), out = fresh({rows, width}, Array(grad).type());
        quietly(double(Array(g).count()), [&] {
            kernels<T>().reduce.add_rows(Array(at).count(), width, Array(g).data<T>(), Array(at).data<int64_t>(), padding, rows,
                                         Array(out).data<T>());
        });
        return out;
    });
}

// index_add(input, dim, index, source, alpha) and scatter_add(input, dim, index, source), into the input.
nb::object add_at(nb::handle input, long dim, nb::handle index, nb::handle source, double alpha, bool slices) {
    if (!is_array(input) || !is_array(index) || !is_array(source)) return decline();
    Array a(input), i(index), x(source);
    const int n = a.ndim(), d = int(dim < 0 ? dim + n : dim);
    if (d < 0 || d >= n || x.ndim() != n || i.ndim() != (slices ? 1 : n) || i.type() != NPY_INT64 || a.type() != x.type()) return decline();
    if (!a.contiguous() || !a.aligned() || !x.count() || overlap(a, x) || overlap(a, i)) return decline();
    long outer = 1, inner = 1;
    bool rows = d == 0;  // whether the index is the same along a row, as an expanded column is
    for (int k = 0; k < n; k++) {
        if (k != d && a.size(k) != x.size(k)) return decline();
        if (!slices && i.size(k) != x.size(k)) return decline();
        if (k < d) outer *= a.size(k);
        if (k > d) inner *= a.size(k), rows = rows && !slices && (i.stride(k) == 0 || i.size(k) == 1);
    }
    const long many = x.size(d);
    if (slices && i.size(0) != many) return decline();
    nb::object at = slices || !rows ? straight(index) : nb::borrow(index), from = straight(source);
    const int64_t* p = Array(at).data<int64_t>();
    const long step[3] = {slices || rows ? 0 : many * inner, slices ? 1 : rows ? i.stride(0) : inner, slices || rows ? 0 : 1};
    for (long k = 0, count = slices || rows ? many : i.count(), by = rows && !slices ? step[1] : 1; k < count; k++)
        if (p[k * by] < 0 || p[k * by] >= a.size(d)) return decline();  // the reference says which
    return by_type(a, [&](auto t) -> nb::object {
        using T = decltype(t);
        quietly(double(x.count()), [&] {
            kernels<T>().reduce.add_at(outer, many, inner, a.size(d), Array(from).data<T>(), p, step, T(alpha), a.data<T>());
        });
        return nb::borrow(input);
    });
}
nb::object index_add(nb::handle input, long dim, nb::handle index, nb::handle source, nb::handle alpha) {
    if (!PyFloat_CheckExact(alpha.ptr()) && !PyLong_CheckExact(alpha.ptr())) return decline();
    return add_at(input, dim, index, source, nb::cast<double>(alpha), true);
}
nb::object scatter_add(nb::handle input, long dim, nb::handle index, nb::handle source) {
    return add_at(input, dim, index, source, 1, false);
}

}  // namespace

void bind_reduce(nb::module_& m) {
    m.def("sum", &reduce<false>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg().none());
    m.def("mean", &reduce<true>, nb::arg(), nb::arg().none(), nb::arg(), nb::arg().none());
    m.def("sum_to", &sum_to);
    m.def("cumsum", &cumsum, nb::arg(), nb::arg(), nb::arg().none());
    m.def("index_add_", &index_add);
    m.def("scatter_add_", &scatter_add);
    m.def("embedding", &embedding);
    m.def("embedding_grad", &embedding_grad);
}

}  // namespace dovetail
