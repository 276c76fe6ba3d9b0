// Softmax, log-softmax and cross-entropy of NumPy arrays.
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// An array as (outer, n, inner) around a dimension; the last one makes rows.
struct Around {
    long outer = 1, n = 0, inner = 1;
    Around(const Array& x, long dim) {
        const int at = int(dim < 0 ? dim + x.ndim() : dim);
        if (at < 0 || at >= x.ndim() || !x.count()) return;
        n = x.size(at);
        for (int d = 0; d < x.ndim(); d++) (d < at ? outer : inner) *= d == at ? 1 : x.size(d);
    }
    explicit operator bool() const { return n > 0; }
};

template <bool LOG> nb::object softmax(nb::handle input, long dim) {
    if (!is_array(input)) return decline();
    const Around a(Array(input), dim);
    if (!a) return decline();
    return by_type(Array(input), [&](auto t) {
        using T = decltype(t);
        nb::object whole = straight(input);
        Array x(whole);
        nb::object out = fresh_like(x);
        const auto& rows = kernels<T>().classes;
        const auto& maps = kernels<T>().channels;
        quietly(double(x.count()) * 8, [&] {
            if (a.inner == 1) (LOG ? rows.log_softmax : rows.softmax)(a.outer, a.n, x.data<T>(), Array(out).data<T>());
            else (LOG ? maps.log_softmax : maps.softmax)(a.outer, a.n, a.inner, x.data<T>(), Array(out).data<T>());
        });
        return out;
    });
}

template <bool LOG> nb::object softmax_grad(nb::handle grad, nb::handle y, long dim) {
    if (!is_array(grad) || !is_array(y) || Array(grad).type() != Array(y).type() || Array(grad).count() != Array(y).count())
        return decline();
    const Around a(Array(y), dim);
    if (!a) return decline();
    return by_type(Array(y), [&](auto t) {
        using T = decltype(t);
        nb::object g = straight(grad), whole = straight(y);
        Array p(whole);
        nb::object out = fresh_like(p);
        const T *from = Array(g).data<T>(), *at = p.data<T>();
        T* to = Array(out).data<T>();
        const auto& rows = kernels<T>().classes;
        const auto& maps = kernels<T>().channels;
        quietly(double(p.count()) * 4, [&] {
            if (a.inner == 1) (LOG ? rows.log_softmax_grad : rows.softmax_grad)(a.outer, a.n, from, at, to);
            else (LOG ? maps.log_softmax_grad : maps.softmax_grad)(a.outer, a.n, a.inner, from, at, to);
        });
        return out;
    });
}

// logsumexp(input, dim, keepdim) over one dimension, given alone or in a tuple
nb::object logsumexp(nb::handle input, nb::handle dim, bool keepdim) {
    PyObject* one = PyTuple_Check(dim.ptr()) && PyTuple_GET_SIZE(dim.ptr()) == 1 ? PyTuple_GET_ITEM(dim.ptr(), 0) : dim.ptr();
    if (!is_array(input) || !PyLong_CheckExact(one)) return decline();
    const long given = PyLong_AsLong(one);
    const Around a(Array(input), given);
    if (!a) return decline();
    return by_type(Array(input), [&](auto t) {
        using T = decltype(t);
        nb::object whole = straight(input);
        Array x(whole);
        std::vector<npy_intp> shape(x.shape(), x.shape() + x.ndim());
        const auto at = shape.begin() + (given < 0 ? given + x.ndim() : given);
        if (keepdim) *at = 1;
        else shape.erase(at);
        nb::object out = fresh(int(shape.size()), shape.data(), x.type());
        quietly(double(x.count()) * 8, [&] {
            if (a.inner == 1) kernels<T>().classes.log_sum(a.outer, a.n, x.data<T>(), Array(out).data<T>());
            else kernels<T>().channels.log_sum(a.outer, a.n, a.inner, x.data<T>(), Array(out).data<T>());
        });
        return out;
    });
}

// Logits (N, C, *d) with a whole-number label (N, *d) for each, which may be weighed by class.
bool plain(nb::handle input, nb::handle target, nb::handle weight) {
    if (!is_array(input) || !is_array(target)) return false;
    Array x(input), t(target);
    if (x.ndim() < 2 || t.ndim() != x.ndim() - 1 || t.type() != NPY_INT64 || !x.count()) return false;
    for (int d = 0; d < t.ndim(); d++)
        if (t.size(d) != x.size(d ? d + 1 : 0)) return false;
    return weight.is_none() || (is_array(weight) && Array(weight).type() == x.type() && Array(weight).count() == x.size(1));
}

// The labels with -1 where they are ignored, and what each weighs.
template <class T> struct Labels {
    std::vector<int64_t> at;
    std::vector<T> weights;
    double total = 0;  // of the weights
    bool fit = true;   // false where one is out of bounds, which the reference refuses

    Labels(const Array& target, nb::handle weight, long classes, long ignore) : at(size_t(target.count())), weights(at.size(), T(1)) {
        const int64_t* t = target.data<int64_t>();
        nb::object kept = weight.is_none() ? nb::none() : straight(weight);
        const T* of_class = weight.is_none() ? nullptr : Array(kept).data<T>();
        for (size_t i = 0; i < at.size() && fit; i++) {
            at[i] = t[i] == ignore ? -1 : t[i];
            fit = at[i] < classes && (at[i] >= 0 || t[i] == ignore);
            if (!fit) return;
            weights[i] = at[i] < 0 ? T(0) : of_class ? of_class[at[i]] : T(1);
            total += double(weights[i]);
        }
    }
};

// cross_entropy(input, target, weight, ignore_index, reduction) to (loss, log-softmax)
nb::object cross_entropy(nb::handle input, nb::handle target, nb::handle weight, long ignore, const char* reduction) {
    if (!plain(input, target, weight)) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(input), at = straight(target);
        Array x(whole);
        const Around a(x, 1);
        const Labels<T> label(Array(at), weight, a.n, ignore);
        if (!label.fit) return decline();
        nb::object logp = fresh_like(x);
        const T* p = Array(logp).data<T>();
        quietly(double(x.count()) * 8, [&] {
            if (a.inner == 1) kernels<T>().classes.log_softmax(a.outer, a.n, x.data<T>(), Array(logp).data<T>());
            else kernels<T>().channels.log_softmax(a.outer, a.n, a.inner, x.data<T>(), Array(logp).data<T>());
        });
        const bool each = reduction[0] == 'n';
        nb::object loss = each ? fresh(Array(at).ndim(), Array(at).shape(), x.type()) : fresh(0, nullptr, x.type());
        T* to = Array(loss).data<T>();
        double total = 0;
        for (long o = 0, i = 0; o < a.outer; o++)
            for (long j = 0; j < a.inner; j++, i++) {
                const int64_t k = label.at[size_t(i)];
                const T own = k < 0 ? T(0) : -p[(o * a.n + k) * a.inner + j] * label.weights[size_t(i)];
                if (each) to[i] = own;
                else total += double(own);
            }
        if (!each) *to = T(reduction[0] == 'm' ? total / label.total : total);
        return nb::make_tuple(loss, logp);
    });
}

// cross_entropy_grad(grad, logp, target, weight, ignore_index, reduction)
nb::object cross_entropy_grad(nb::handle grad, nb::handle logp, nb::handle target, nb::handle weight, long ignore, const char* reduction) {
    if (!plain(logp, target, weight) || !is_array(grad) || Array(grad).type() != Array(logp).type()) return decline();
    return by_type(Array(logp), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(logp), at = straight(target), g = straight(grad);
        Array p(whole);
        const Around a(p, 1);
        Labels<T> label(Array(at), weight, a.n, ignore);
        const bool each = reduction[0] == 'n';
        if (!label.fit || Array(g).count() != (each ? a.outer * a.inner : 1)) return decline();
        const T *from = Array(g).data<T>(), whole_grad = each ? T(0) : reduction[0] == 'm' ? from[0] / T(label.total) : from[0];
        for (size_t i = 0; i < label.at.size(); i++) label.weights[i] *= each ? from[i] : whole_grad;
        nb::object out = fresh_like(p);
        quietly(double(p.count()) * 4, [&] {
            const T *given = p.data<T>(), *scale = label.weights.data();
            T* to = Array(out).data<T>();
            if (a.inner == 1) kernels<T>().classes.cross_entropy_grad(a.outer, a.n, given, label.at.data(), scale, to);
            else kernels<T>().channels.cross_entropy_grad(a.outer, a.n, a.inner, given, label.at.data(), scale, to);
        });
        return out;
    });
}

}  // namespace

void bind_classes(nb::module_& m) {
    m.def("softmax", &softmax<false>);
    m.def("log_softmax", &softmax<true>);
    m.def("softmax_grad", &softmax_grad<false>);
    m.def("log_softmax_grad", &softmax_grad<true>);
    m.def("logsumexp", &logsumexp);
    m.def("cross_entropy", &cross_entropy, nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
    m.def("cross_entropy_grad", &cross_entropy_grad, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
}

}  // namespace dovetail
