// Elements of NumPy arrays picked by an index along a dimension, and their gradients; embeddings.
#include <cstring>
#include <optional>
#include <vector>

#include "../pool.h"
#include "bind.h"

namespace dovetail {
namespace {

nb::object zeros(const std::vector<npy_intp>& shape, int type) {
    nb::object out = fresh((int)shape.size(), shape.data(), type);
    const long bytes = PyArray_NBYTES(Array(out).a);
    char* p = Array(out).data<char>();
    quietly(double(bytes) / 8, [&] { parallel_range(bytes, 1 << 18, [&](long a, long b) { std::memset(p + a, 0, size_t(b - a)); }); });
    return out;
}

std::optional<std::vector<npy_intp>> sizes(nb::handle shape) {
    if (!PyTuple_Check(shape.ptr())) return {};
    std::vector<npy_intp> found;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(shape.ptr()); i++) {
        if (!PyLong_Check(PyTuple_GET_ITEM(shape.ptr(), i))) return {};
        found.push_back(PyLong_AsLong(PyTuple_GET_ITEM(shape.ptr(), i)));
    }
    return found;
}

// The step of dimensions [first, last) of an index taken as one, where they continue each other or are all repeated.
std::optional<long> step_of(const Array& index, int first, int last) {
    long step = 0, next = 0;
    bool any = false;
    for (int d = last - 1; d >= first; d--) {
        if (index.size(d) == 1) continue;
        if (!any) step = index.stride(d), any = true;
        else if (index.stride(d) != next) return {};
        next = index.stride(d) * index.size(d);
    }
    return step;
}

// Whether all that an index picks lies in its dimension: the reference says what does not. What is repeated is looked at once.
bool inside(const Picks& p, const int64_t* index) {
    const long size[3] = {p.step[0] ? p.outer : 1, p.step[1] ? p.n : 1, p.step[2] ? p.inner : 1};
    const int last = size[2] > 1 ? 2 : 1, before = 3 - last;
    uint64_t outside = 0;
    for (long o = 0; o < size[0]; o++)
        for (long i = 0; i < size[before]; i++) {
            const int64_t* at = index + o * p.step[0] + i * p.step[before];
            for (long j = 0; j < size[last]; j++) outside |= uint64_t(at[j * p.step[last]]) >= uint64_t(p.size);
        }
    return !outside;
}

struct Index {
    Picks picks;
    nb::object kept;
    const int64_t* data() const { return Array(kept).data<int64_t>(); }
};

// An index of as many dimensions as what it picks from, of `shape`, and equal to it but along `dim`.
std::optional<Index> along(const npy_intp* shape, int n, nb::handle dim, nb::handle index) {
    if (!PyLong_Check(dim.ptr()) || !is_array(index)) return {};
    const long given = PyLong_AsLong(dim.ptr());
    const int d = int(given < 0 ? given + n : given);
    Array i(index);
    if (given < -n || given >= n || i.ndim() != n || i.type() != NPY_INT64 || !i.aligned() || !i.count()) return {};
    for (int k = 0; k < n; k++)
        if (k != d && i.size(k) != shape[k]) return {};
    std::optional<long> outer = step_of(i, 0, d), inner = step_of(i, d + 1, n);
    Index found{{1, i.size(d), 1, shape[d], {}}, outer && inner ? nb::borrow(index) : straight(index)};
    Array own(found.kept);
    for (int k = 0; k < n; k++) (k < d ? found.picks.outer : found.picks.inner) *= k == d ? 1 : shape[k];
    const long steps[] = {*step_of(own, 0, d), own.size(d) == 1 ? 0 : own.stride(d), *step_of(own, d + 1, n)};
    std::copy(steps, steps + 3, found.picks.step);
    if (!inside(found.picks, found.data())) return {};
    return found;
}

// One or more indices of one shape, for dimensions from `d` on. `result` becomes the shape of what they pick.
std::optional<Index> chosen(const npy_intp* shape, int n, int d, const std::vector<nb::handle>& parts, bool wraps,
                            std::vector<npy_intp>& result) {
    const int after = d + (int)parts.size();
    if (parts.empty() || after > n) return {};
    for (nb::handle part : parts) {
        if (!is_array(part) || Array(part).type() != NPY_INT64) return {};
        const Array a(part), b(parts[0]);
        if (a.ndim() != b.ndim() || !std::equal(a.shape(), a.shape() + a.ndim(), b.shape())) return {};
    }
    const Array like(parts[0]);
    Index found{{1, like.count(), 1, 1, {0, 1, 0}}, straight(parts[0])};
    Picks& p = found.picks;
    for (int k = 0; k < n; k++) (k < d ? p.outer : k < after ? p.size : p.inner) *= shape[k];
    if (!p.outer || !p.n || !p.inner) return {};
    if (parts.size() > 1 || !inside(p, found.data())) {  // one index into all of those dimensions, counted from their beginning
        nb::object whole = fresh(like.ndim(), like.shape(), NPY_INT64);
        int64_t* to = Array(whole).data<int64_t>();
        std::fill(to, to + p.n, 0);
        for (size_t k = 0; k < parts.size(); k++) {
            nb::object own = straight(parts[k]);
            const int64_t *from = Array(own).data<int64_t>(), size = shape[d + (int)k];
            for (long i = 0; i < p.n; i++) {
                const int64_t at = from[i] + (wraps && from[i] < 0 ? size : 0);
                if (at < 0 || at >= size) return {};
                to[i] = to[i] * size + at;
            }
        }
        found.kept = whole;
    }
    result.assign(shape, shape + d);
    result.insert(result.end(), like.shape(), like.shape() + like.ndim());
    result.insert(result.end(), shape + after, shape + n);
    return found;
}

// What square brackets hold: full slices, then indices.
std::optional<Index> brackets(const npy_intp* shape, int n, nb::handle at, nb::handle parts, std::vector<npy_intp>& result) {
    if (!at.is_none() || !PyTuple_CheckExact(parts.ptr())) return {};
    std::vector<nb::handle> indices;
    int d = 0;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(parts.ptr()); k++) {
        const nb::handle part = PyTuple_GET_ITEM(parts.ptr(), k);
        if (indices.empty() && PySlice_Check(part.ptr())) d++;
        else indices.push_back(part);
    }
    return chosen(shape, n, d, indices, true, result);
}

nb::object take(const std::optional<Index>& index, nb::handle input, const std::vector<npy_intp>& shape) {
    if (!index) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(input), out = fresh((int)shape.size(), shape.data(), Array(input).type());
        quietly(double(Array(out).count()),
                [&] { kernels<T>().picking.take(index->picks, Array(whole).data<T>(), index->data(), Array(out).data<T>()); });
        return out;
    });
}

// Into `out`, an array of `grad`'s type.
nb::object give(const std::optional<Index>& index, Giving how, nb::handle grad, double alpha, nb::object out) {
    return by_type(Array(grad), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(grad);
        quietly(double(Array(grad).count()), [&] {
            kernels<T>().picking.give(index->picks, how, Array(whole).data<T>(), index->data(), T(alpha), Array(out).data<T>());
        });
        return out;
    });
}

// gather(input, dim, index, sparse_grad)
nb::object gather(nb::handle input, nb::handle dim, nb::handle index, nb::handle) {
    if (!is_array(input) || !Array(input).count() || !is_array(index)) return decline();
    const Array x(input), i(index);
    return take(along(x.shape(), x.ndim(), dim, index), input, {i.shape(), i.shape() + i.ndim()});
}

// gather_grad(grad, shape, dim, index, once)
nb::object gather_grad(nb::handle grad, nb::handle shape, nb::handle dim, nb::handle index, bool once) {
    const auto to = sizes(shape);
    if (!is_array(grad) || !to || !is_array(index)) return decline();
    const Array g(grad), i(index);
    if (g.ndim() != i.ndim() || !std::equal(g.shape(), g.shape() + g.ndim(), i.shape())) return decline();
    const auto found = along(to->data(), (int)to->size(), dim, index);
    if (!found || (g.type() != NPY_FLOAT32 && g.type() != NPY_FLOAT64)) return decline();
    return give(found, once ? Giving::write : Giving::add, grad, 1, zeros(*to, g.type()));
}

// index(input, at, indices), index_select(input, dim, index)
nb::object index(nb::handle input, nb::handle at, nb::handle indices) {
    if (!is_array(input)) return decline();
    std::vector<npy_intp> shape;
    return take(brackets(Array(input).shape(), Array(input).ndim(), at, indices, shape), input, shape);
}
nb::object index_select(nb::handle input, long dim, nb::handle index) {
    if (!is_array(input) || !is_array(index) || Array(index).ndim() != 1) return decline();
    const Array x(input);
    if (dim < -x.ndim() || dim >= x.ndim()) return decline();
    std::vector<npy_intp> shape;
    return take(chosen(x.shape(), x.ndim(), int(dim < 0 ? dim + x.ndim() : dim), {index}, false, shape), input, shape);
}

// getitem_grad(grad, shape, at, indices)
nb::object getitem_grad(nb::handle grad, nb::handle shape, nb::handle at, nb::handle indices) {
    const auto to = sizes(shape);
    if (!is_array(grad) || !to) return decline();
    const Array g(grad);
    std::vector<npy_intp> picked;
    const auto found = brackets(to->data(), (int)to->size(), at, indices, picked);
    if (!found || (g.type() != NPY_FLOAT32 && g.type() != NPY_FLOAT64)) return decline();
    if (g.ndim() != (int)picked.size() || !std::equal(picked.begin(), picked.end(), g.shape())) return decline();
    return give(found, Giving::add, grad, 1, zeros(*to, g.type()));
}

// embedding(weight, index, padding_idx, scale_grad_by_freq)
nb::object embedding(nb::handle weight, nb::handle index, nb::handle, nb::handle) {
    if (!is_array(weight) || Array(weight).ndim() != 2 || !is_array(index)) return decline();
    std::vector<npy_intp> shape;
    return take(chosen(Array(weight).shape(), 2, 0, {index}, false, shape), weight, shape);
}

// embedding_grad(grad, index, rows, padding_idx)
nb::object embedding_grad(nb::handle grad, nb::handle index, long rows, long padding) {
    if (!is_array(grad) || Array(grad).ndim() < 1 || !is_array(index)) return decline();
    const Array g(grad);
    const npy_intp shape[] = {rows, g.size(-1)};
    std::vector<npy_intp> picked;
    const auto found = chosen(shape, 2, 0, {index}, false, picked);
    if (!found || g.count() != found->picks.n * shape[1] || (g.type() != NPY_FLOAT32 && g.type() != NPY_FLOAT64)) return decline();
    nb::object out = give(found, Giving::add, grad, 1, zeros({rows, shape[1]}, g.type()));
    const long bytes = shape[1] * PyArray_ITEMSIZE(g.a);
    if (padding >= 0 && padding < rows) std::memset(Array(out).data<char>() + padding * bytes, 0, size_t(bytes));
    return out;
}

// Into the input: scatter(input, dim, index, source, how), index_add(input, dim, index, source, alpha).
bool takes(nb::handle input, nb::handle index, nb::handle source) {
    if (!is_array(input) || !is_array(index) || !is_array(source)) return false;
    const Array a(input), i(index), x(source);
    const bool real = a.type() == NPY_FLOAT32 || a.type() == NPY_FLOAT64;
    return real && a.type() == x.type() && a.contiguous() && a.aligned() && x.count() && !overlap(a, x) && !overlap(a, i);
}
nb::object scatter(nb::handle input, nb::handle dim, nb::handle index, nb::handle source, int how) {
    if (!takes(input, index, source)) return decline();
    const Array a(input), i(index), x(source);
    if (i.ndim() != x.ndim() || !std::equal(i.shape(), i.shape() + i.ndim(), x.shape())) return decline();
    const auto found = along(a.shape(), a.ndim(), dim, index);
    return found ? give(found, Giving(how), source, 1, nb::borrow(input)) : decline();
}
nb::object index_add(nb::handle input, long dim, nb::handle index, nb::handle source, nb::handle alpha) {
    if (!takes(input, index, source) || Array(index).ndim() != 1) return decline();
    if (!PyFloat_CheckExact(alpha.ptr()) && !PyLong_CheckExact(alpha.ptr())) return decline();
    const Array a(input), x(source);
    if (dim < -a.ndim() || dim >= a.ndim()) return decline();
    std::vector<npy_intp> picked;
    const auto found = chosen(a.shape(), a.ndim(), int(dim < 0 ? dim + a.ndim() : dim), {index}, false, picked);
    if (!found || x.ndim() != a.ndim() || !std::equal(picked.begin(), picked.end(), x.shape())) return decline();
    return give(found, Giving::add, source, nb::cast<double>(alpha), nb::borrow(input));
}

}  // namespace

void bind_picking(nb::module_& m) {
    m.def("gather", &gather);
    m.def("gather_grad", &gather_grad);
    m.def("index", &index, nb::arg(), nb::arg().none(), nb::arg());
    m.def("index_select", &index_select);
    m.def("getitem_grad", &getitem_grad, nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none());
    m.def("embedding", &embedding);
    m.def("embedding_grad", &embedding_grad);
    m.def("scatter_", &scatter);
    m.def("index_add_", &index_add);
}

}  // namespace dovetail
