// Copies of NumPy arrays in the order of their dimensions, triangles and borders.
#include <cmath>
#include <optional>
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// Numbers are moved, whatever they mean: by their size.
template <class F> void by_size(const Array& x, F&& f) {
    if (PyArray_ITEMSIZE(x.a) == sizeof(float)) f(float{});
    else f(double{});
}

bool movable(const Array& x) {
    const int kinds[] = {NPY_FLOAT32, NPY_FLOAT64, NPY_INT32, NPY_INT64, NPY_COMPLEX64};
    if (std::find(std::begin(kinds), std::end(kinds), x.type()) == std::end(kinds) || !x.aligned() || x.ndim() > Route::MOST) return false;
    for (int d = 0; d < x.ndim(); d++)
        if (PyArray_STRIDE(x.a, d) % PyArray_ITEMSIZE(x.a)) return false;
    return true;
}

// Dimensions that continue each other in both arrays become one; those of one element are left out.
Route route(const Array& x, const Array& out) {
    Route r;
    for (int d = 0; d < x.ndim(); d++) {
        const long n = x.size(d), from = x.stride(d), to = out.stride(d);
        if (n == 1) continue;
        const int k = r.dims - 1;
        if (k >= 0 && r.from[k] == from * n && r.to[k] == to * n) {
            r.size[k] *= n, r.from[k] = from, r.to[k] = to;
        } else {
            r.size[r.dims] = n, r.from[r.dims] = from, r.to[r.dims] = to, r.dims++;
        }
    }
    if (!r.dims) r.size[0] = r.from[0] = r.to[0] = 1, r.dims = 1;
    return r;
}

// The elements of x in an array of its shape that is contiguous along its last dimension.
void copy_into(const Array& x, const Array& out) {
    if (!x.count()) return;
    const Route r = route(x, out);
    by_size(x, [&](auto t) {
        using T = decltype(t);
        quietly(double(x.count()), [&] { kernels<T>().rearrange.copy(r, x.data<T>(), out.data<T>()); });
    });
}

nb::object contiguous(nb::handle input) {
    if (!is_array(input) || !movable(Array(input))) return decline();
    Array x(input);
    nb::object out = fresh_like(x);
    copy_into(x, Array(out));
    return out;
}

// tril(input, diagonal), triu likewise
template <bool UPPER> nb::object triangle(nb::handle input, nb::handle diagonal) {
    if (!is_array(input) || Array(input).ndim() < 2 || !movable(Array(input)) || !PyLong_CheckExact(diagonal.ptr())) return decline();
    int overflow = 0;
    const long k = PyLong_AsLongAndOverflow(diagonal.ptr(), &overflow);
    if (overflow || k > (1L << 40) || k < -(1L << 40)) return decline();
    nb::object whole = straight(input);
    Array x(whole);
    nb::object out = fresh_like(x);
    if (!x.count()) return out;
    const long rows = x.size(-2), columns = x.size(-1);
    by_size(x, [&](auto t) {
        using T = decltype(t);
        quietly(double(x.count()), [&] {
            kernels<T>().rearrange.triangle(x.count() / rows / columns, rows, columns, k, UPPER, x.data<T>(), Array(out).data<T>());
        });
    });
    return out;
}

enum class Mode { constant, reflect, replicate, circular };

// Which of the n elements of a dimension stand in its padded form, -1 for none; nothing where one would lie outside.
std::optional<std::vector<int64_t>> places(long n, long before, long after, Mode mode) {
    std::vector<int64_t> found(size_t(std::max(0L, n + before + after)));
    const long low = std::max(-before, 0L), kept = n - std::max(-after, 0L) - low;
    if ((kept < 1 || n < 1) && !found.empty() && mode != Mode::constant) return {};
    for (size_t i = 0; i < found.size(); i++) {
        long at = long(i) - before;
        if (mode == Mode::constant) at = at < 0 || at >= n ? -1 : at;
        else if (mode == Mode::replicate) at = std::clamp(at, 0L, n - 1);
        else if (mode == Mode::circular) at = low + ((at - low) % kept + kept) % kept;
        else at = n - 1 - std::abs(n - 1 - std::abs(at));
        if (at >= n || (at < 0 && mode != Mode::constant)) return {};
        found[i] = at;
    }
    return found;
}

// How an array of `shape` is padded, with what a Padding points to.
struct Plan {
    std::vector<npy_intp> shape;  // of the result
    std::vector<int64_t> row, place;
    Padding padding{1, 1, 1, 1, 1, 0, 0, nullptr, nullptr};
};

std::optional<Plan> plan(const std::vector<npy_intp>& shape, nb::handle sides, Mode mode) {
    const int n = (int)shape.size();
    if (!n || !PyTuple_CheckExact(sides.ptr()) || PyTuple_GET_SIZE(sides.ptr()) != n) return {};
    Plan found;
    Padding& p = found.padding;
    found.row = {0};
    bool padded = false;
    for (int d = 0; d < n; d++) {
        long before, after;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(sides.ptr(), d), "ll", &before, &after)) throw nb::python_error();
        const auto at = places(shape[size_t(d)], before, after, mode);
        if (!at || at->empty() || !shape[size_t(d)]) return {};
        found.shape.push_back(npy_intp(at->size()));
        padded = padded || before || after;
        if (d == n - 1) {
            found.place = *at;
        } else if (!padded) {
            p.blocks *= shape[size_t(d)];
        } else {
            p.from_rows *= shape[size_t(d)];
            std::vector<int64_t> rows;
            for (int64_t r : found.row)
                for (int64_t k : *at) rows.push_back(r < 0 || k < 0 ? -1 : r * shape[size_t(d)] + k);
            found.row = std::move(rows);
        }
    }
    p.rows = long(found.row.size()), p.width = found.shape.back(), p.from_width = shape.back();
    const auto& place = found.place;  // the longest run from the first element that the original's border does not hold
    const long before = PyLong_AsLong(PyTuple_GET_ITEM(PyTuple_GET_ITEM(sides.ptr(), n - 1), 0));
    p.first = p.last = std::clamp(before, 0L, p.width);
    while (p.last < p.width && place[size_t(p.last)] == place[size_t(p.first)] + p.last - p.first && place[size_t(p.last)] >= 0) p.last++;
    return found;
}

void point(Plan& plan) { plan.padding.row = plan.row.data(), plan.padding.place = plan.place.data(); }

// pad(input, sides, mode, value)
nb::object pad(nb::handle input, nb::handle sides, int mode, double value) {
    if (!is_array(input)) return decline();
    Array x(input);
    auto how = plan({x.shape(), x.shape() + x.ndim()}, sides, Mode(mode));
    if (!how) return decline();
    point(*how);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        if (std::isfinite(value) && !std::isfinite(T(value))) return decline();
        nb::object whole = straight(input), out = fresh((int)how->shape.size(), how->shape.data(), x.type());
        quietly(double(Array(out).count()),
                [&] { kernels<T>().rearrange.pad(how->padding, T(value), Array(whole).data<T>(), Array(out).data<T>()); });
        return out;
    });
}

// pad_grad(grad, shape, sides, mode): of a border of the input's own elements
nb::object pad_grad(nb::handle grad, nb::handle shape, nb::handle sides, int mode) {
    if (!is_array(grad) || !PyTuple_Check(shape.ptr()) || Mode(mode) == Mode::constant) return decline();
    std::vector<npy_intp> to;
    for (nb::handle n : nb::borrow<nb::tuple>(shape)) to.push_back(nb::cast<npy_intp>(n));
    auto how = plan(to, sides, Mode(mode));
    Array g(grad);
    if (!how || g.ndim() != (int)to.size() || !std::equal(how->shape.begin(), how->shape.end(), g.shape())) return decline();
    point(*how);
    return by_type(g, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(grad), out = fresh((int)to.size(), to.data(), g.type());
        quietly(double(g.count()), [&] { kernels<T>().rearrange.pad_grad(how->padding, Array(whole).data<T>(), Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

nb::object straight(nb::handle array) {
    Array a(array);
    if (a.contiguous() && a.aligned()) return nb::borrow(array);
    if (is_array(array) && movable(a)) return contiguous(array);
    PyObject* copy = PyArray_FromArray(a.a, nullptr, NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY);
    if (!copy) throw nb::python_error();
    return nb::steal(copy);
}

nb::object channels_moved(const Array& x) {
    npy_intp order[NPY_MAXDIMS];
    order[0] = 0, order[x.ndim() - 1] = 1;
    for (int d = 1; d + 1 < x.ndim(); d++) order[d] = d + 1;
    PyArray_Dims dims{order, x.ndim()};
    nb::object view = nb::steal(PyArray_Transpose(x.a, &dims));
    if (!view) throw nb::python_error();
    return view;
}

bool channels_last(const Array& x) {
    if (x.ndim() < 4 || x.contiguous() || !x.aligned() || !Array(channels_moved(x)).contiguous()) return false;
    return x.stride(0) >= x.count() / x.size(0);  // which a single image that was given a batch dimension does not say
}

nb::object as_images(nb::object out, const Array& of) {
    if (!channels_last(of)) return out;
    nb::object kept = straight(channels_moved(Array(out)));
    npy_intp order[NPY_MAXDIMS];
    const int n = of.ndim();
    order[0] = 0, order[1] = n - 1;
    for (int d = 2; d < n; d++) order[d] = d - 1;
    PyArray_Dims dims{order, n};
    nb::object view = nb::steal(PyArray_Transpose(Array(kept).a, &dims));
    if (!view) throw nb::python_error();
    return view;
}

void bind_rearrange(nb::module_& m) {
    m.def("contiguous", &contiguous);
    m.def("pad", &pad);
    m.def("pad_grad", &pad_grad);
    m.def("tril", &triangle<false>);
    m.def("triu", &triangle<true>);
}

}  // namespace dovetail
