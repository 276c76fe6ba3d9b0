// Softmax, log-softmax and cross-entropy of NumPy arrays.
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// Along the last dimension of a contiguous array, or not at all.
bool last(const Array& x, long dim) { return x.ndim() >= 1 && (dim == x.ndim() - 1 || dim == -1) && x.count() > 0; }

template <bool LOG> nb::object softmax(nb::handle input, long dim) {
    if (!is_array(input) || !last(Array(input), dim)) return decline();
    return by_type(Array(input), [&](auto t) {
        using T = decltype(t);
        nb::object whole = straight(input);
        Array x(whole);
        nb::object out = fresh_like(x);
        const long width = x.size(-1);
        auto& k = kernels<T>().classes;
        quietly(double(x.count()) * 8,
                [&] { (LOG ? k.log_softmax : k.softmax)(x.count() / width, width, x.data<T>(), Array(out).data<T>()); });
        return out;
    });
}

template <bool LOG> nb::object softmax_grad(nb::handle grad, nb::handle y, long dim) {
    if (!is_array(grad) || !is_array(y) || !last(Array(y), dim) || Array(grad).type() != Array(y).type() ||
        Array(grad).count() != Array(y).count())
        return decline();
    return by_type(Array(y), [&](auto t) {
        using T = decltype(t);
        nb::object g = straight(grad), whole = straight(y);
        Array p(whole);
        nb::object out = fresh_like(p);
        const long width = p.size(-1);
        auto& k = kernels<T>().classes;
        quietly(double(p.count()) * 4, [&] {
            (LOG ? k.log_softmax_grad : k.softmax_grad)(p.count() / width, width, Array(g).data<T>(), p.data<T>(), Array(out).data<T>());
        });
        return out;
    });
}

// Rows of logits with a whole-number label each, no weights: what nearly every program has.
bool plain(nb::handle input, nb::handle target, nb::handle weight) {
    if (!is_array(input) || !is_array(target) || !weight.is_none()) return false;
    Array x(input), t(target);
    return x.ndim() == 2 && t.ndim() == 1 && t.type() == NPY_INT64 && t.size(0) == x.size(0) && x.count() > 0;
}
// The labels with -1 where they are ignored; false where one is out of bounds, which the reference refuses.
bool labels(const Array& target, long classes, long ignore, std::vector<int64_t>& out) {
    const int64_t* t = target.data<int64_t>();
    out.resize(size_t(target.count()));
    for (size_t i = 0; i < out.size(); i++) {
        out[i] = t[i] == ignore ? -1 : t[i];
        if (out[i] >= classes || (out[i] < 0 && t[i] != ignore)) return false;
    }
    return true;
}

// cross_entropy(input, target, weight, ignore_index, reduction) to (loss, log-softmax)
nb::object cross_entropy(nb::handle input, nb::handle target, nb::handle weight, long ignore, const char* reduction) {
    if (!plain(input, target, weight)) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object whole = straight(input), at = straight(target);
        Array x(whole);
        const long rows = x.size(0), width = x.size(1);
        std::vector<int64_t> label;
        if (!labels(Array(at), width, ignore, label)) return decline();
        nb::object logp = fresh_like(x);
        const T* p = Array(logp).data<T>();
        quietly(double(x.count()) * 8, [&] { kernels<T>().classes.log_softmax(rows, width, x.data<T>(), Array(logp).data<T>()); });
        if (reduction[0] == 'n') {
            nb::object loss = fresh({rows}, x.type());
            T* to = Array(loss).data<T>();
            for (long r = 0; r < rows; r++) to[r] = label[size_t(r)] < 0 ? T(0) : -p[r * width + label[size_t(r)]];
            return nb::make_tuple(loss, logp);
        }
        double total = 0;
        long count = 0;
        for (long r = 0; r < rows; r++)
            if (label[size_t(r)] >= 0) total -= p[r * width + label[size_t(r)]], count++;
        nb::object loss = fresh(0, nullptr, x.type());
        *Array(loss).data<T>() = T(reduction[0] == 'm' ? total / double(count) : total);
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
        const long rows = p.size(0), width = p.size(1);
        std::vector<int64_t> label;
        const bool each = reduction[0] == 'n';
        if (!labels(Array(at), width, ignore, label) || Array(g).count() != (each ? rows : 1)) return decline();
        long count = 0;
        for (int64_t l : label) count += l >= 0;
        const T* from = Array(g).data<T>();
        std::vector<T> scale(size_t(rows), each ? T(0) : reduction[0] == 'm' ? from[0] / T(count) : from[0]);
        if (each) std::copy(from, from + rows, scale.begin());
        nb::object out = fresh_like(p);
        quietly(double(p.count()) * 4, [&] {
            kernels<T>().classes.cross_entropy_grad(rows, width, p.data<T>(), label.data(), scale.data(), Array(out).data<T>());
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
    m.def("cross_entropy", &cross_entropy, nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
    m.def("cross_entropy_grad", &cross_entropy_grad, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
}

}  // namespace dovetail
