// Attention of NumPy arrays (*, L, E) with up to two leading dimensions, laid out as heads split from a model's width are.
#include "bind.h"

namespace dovetail {
namespace {

// Last dimension side by side, rows with any positive step.
bool rows_fit(nb::handle h, int type, int ndim) {
    if (!is_array(h)) return false;
    Array a(h);
    if (a.type() != type || a.ndim() != ndim || !a.aligned() || !a.count() || (a.stride(-1) != 1 && a.size(-1) > 1)) return false;
    for (int d = 0; d < ndim - 1; d++)
        if (a.stride(d) < (d == ndim - 2 && a.size(d) > 1 ? a.size(-1) : 0)) return false;
    return true;
}

template <class T> Heads<T> heads_of(const Array& a) {
    const int n = a.ndim();
    const long head = n >= 3 ? a.stride(n - 3) : 0, batch = n >= 4 ? a.stride(n - 4) : 0;
    return {a.data<std::remove_const_t<T>>(), batch, head, a.stride(n - 2)};
}

// Whether heads and rows lie exchanged in memory, as where a model's width was split into heads.
bool split_heads(const Array& a) {
    return a.ndim() == 4 && a.stride(1) >= a.size(3) && a.stride(2) >= a.stride(1) * a.size(1) && a.stride(0) >= a.stride(2) * a.size(2);
}
// Layouts whose results' layout is told here; others are the reference's to choose.
bool layout_known(const Array& a) { return a.contiguous() || (a.ndim() == 4 && a.stride(0) > 0 && a.stride(1) > 0); }

// A new array of this shape, its dimensions in the order in which the model array's lie in memory.
nb::object laid_out(const Array& like, long rows, long width) {
    const int n = like.ndim();
    if (!like.contiguous() && layout_known(like)) {
        npy_intp order[] = {0, 1, 2, 3}, place[4], sizes[] = {like.size(0), like.size(1), rows, width}, moved[4];
        if (split_heads(like)) std::swap(order[1], order[2]);  // also where a size of 1 may have any step
        else std::stable_sort(order, order + 3, [&](npy_intp c, npy_intp d) { return like.stride(int(c)) > like.stride(int(d)); });
        for (int d = 0; d < 4; d++) moved[d] = sizes[order[d]], place[order[d]] = d;
        nb::object whole = fresh(4, moved, like.type());
        PyArray_Dims back{place, 4};
        PyObject* view = PyArray_Transpose(Array(whole).a, &back);
        if (!view) throw nb::python_error();
        return nb::steal(view);
    }
    npy_intp shape[4];
    for (int d = 0; d < n; d++) shape[d] = like.size(d);
    shape[n - 2] = rows, shape[n - 1] = width;
    return fresh(n, shape, like.type());
}

// An array with a number for each score, or one that broadcasts to that; null where it is None. False where it does not fit.
template <class T> bool per_score(nb::handle h, int type, const AttentionShape& s, int ndim, PerScore<T>& found) {
    found = {};
    if (h.is_none()) return true;
    if (!is_array(h) || Array(h).type() != type || !Array(h).aligned() || Array(h).ndim() < 2 || Array(h).ndim() > ndim) return false;
    Array m(h);
    long steps[4] = {}, sizes[4] = {s.batch, s.heads, s.queries, s.keys};
    for (int d = 0; d < m.ndim(); d++) {
        const int at = 4 - m.ndim() + d;
        if (m.size(d) != 1 && m.size(d) != sizes[at]) return false;
        steps[at] = m.size(d) == 1 ? 0 : m.stride(d);
    }
    found.p = m.data<T>(), found.batch = steps[0], found.head = steps[1], found.row = steps[2], found.column = steps[3];
    return true;
}

// What is added to the scores, what of them is left out, and what of the weights is kept.
struct Extra {
    nb::handle bias, mask, kept;
    double keep;
};

// The shapes of a call, as far as they fit: one leading shape for all.
bool shape_of(nb::handle query, nb::handle key, nb::handle value, const Extra& extra, bool causal, double scale, AttentionShape& s) {
    if (!is_array(query)) return false;
    Array q(query);
    const int n = q.ndim();
    if (n < 2 || n > 4 || !layout_known(q) || !rows_fit(query, q.type(), n) || !rows_fit(key, q.type(), n) || !rows_fit(value, q.type(), n))
        return false;
    Array k(key), v(value);
    for (int d = 0; d < n - 2; d++)
        if (k.size(d) != q.size(d) || v.size(d) != q.size(d)) return false;
    if (k.size(-1) != q.size(-1) || v.size(-2) != k.size(-2)) return false;
    s = {n >= 4 ? q.size(0) : 1,
         n >= 3 ? q.size(n - 3) : 1,
         q.size(-2),
         k.size(-2),
         q.size(-1),
         v.size(-1),
         scale,
         causal,
         {},
         {},
         extra.keep,
         {}};
    return per_score(extra.bias, q.type(), s, n, s.bias) && per_score(extra.mask, NPY_BOOL, s, n, s.mask) &&
           per_score(extra.kept, NPY_BOOL, s, n, s.kept);
}

double work(const AttentionShape& s) { return double(s.batch) * s.heads * s.queries * s.keys * (s.width + s.value_width); }

// attention(query, key, value, bias, mask, kept, keep, is_causal, scale) to (out, log-sum-exp)
nb::object attention(nb::handle query, nb::handle key, nb::handle value, nb::handle bias, nb::handle mask, nb::handle kept, double keep,
                     bool causal, double scale) {
    AttentionShape s;
    if (!shape_of(query, key, value, {bias, mask, kept, keep}, causal, scale, s)) return decline();
    Array q(query), k(key), v(value);
    return by_type(q, [&](auto t) -> nb::object {
        using T = decltype(t);
        npy_intp shape[4];
        for (int d = 0; d < q.ndim(); d++) shape[d] = q.size(d);
        shape[q.ndim() - 1] = s.value_width;
        // With dropout PyTorch takes products of its own, and its result lies in order.
        nb::object out = s.value_width == s.width && !s.kept.p ? laid_out(q, s.queries, s.width) : fresh(q.ndim(), shape, q.type());
        shape[q.ndim() - 1] = 1;
        nb::object lse = fresh(q.ndim(), shape, q.type());
        quietly(work(s), [&] {
            kernels<T>().attention.forward(s, heads_of<const T>(q), heads_of<const T>(k), heads_of<const T>(v), heads_of<T>(Array(out)),
                                           Array(lse).data<T>());
        });
        return nb::make_tuple(out, lse);
    });
}

// attention_grad(grad, query, key, value, bias, mask, kept, keep, is_causal, scale, y, lse, needs)
nb::object attention_grad(nb::handle grad, nb::handle query, nb::handle key, nb::handle value, nb::handle bias, nb::handle mask,
                          nb::handle kept, double keep, bool causal, double scale, nb::handle y, nb::handle lse, nb::tuple needs) {
    AttentionShape s;
    if (nb::cast<bool>(needs[3]) || !shape_of(query, key, value, {bias, mask, kept, keep}, causal, scale, s)) return decline();
    Array q(query), k(key), v(value);
    const int n = q.ndim();
    if (!is_array(grad) || !rows_fit(y, q.type(), n) || !is_array(lse) || !Array(lse).contiguous() || Array(lse).type() != q.type() ||
        Array(grad).ndim() != n || Array(grad).type() != q.type())
        return decline();
    return by_type(q, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object g = rows_fit(grad, q.type(), n) ? nb::borrow(grad) : straight(grad);
        nb::object by_q = laid_out(q, s.queries, s.width), by_k = laid_out(k, s.keys, s.width), by_v = laid_out(v, s.keys, s.value_width);
        nb::object by_bias = fresh({0}, q.type());
        quietly(work(s) * 2, [&] {
            kernels<T>().attention.backward(s, heads_of<const T>(Array(g)), heads_of<const T>(q), heads_of<const T>(k),
                                            heads_of<const T>(v), heads_of<const T>(Array(y)), Array(lse).data<T>(),
                                            heads_of<T>(Array(by_q)), heads_of<T>(Array(by_k)), heads_of<T>(Array(by_v)));
        });
        return nb::make_tuple(by_q, by_k, by_v, by_bias);
    });
}

}  // namespace

void bind_attention(nb::module_& m) {
    using nb::arg;
    m.def("attention", &attention, arg(), arg(), arg(), arg().none(), arg().none(), arg().none(), arg(), arg(), arg());
    m.def("attention_grad", &attention_grad, arg(), arg(), arg(), arg(), arg().none(), arg().none(), arg().none(), arg(), arg(), arg(),
          arg(), arg(), arg());
}

}  // namespace dovetail
