// Batch norm and layer norm of NumPy arrays.
#include <cmath>
#include <vector>

#include "bind.h"

namespace dovetail {
namespace {

// An optional array of `count` elements of this type, contiguous: its data, or null. `fits` turns false where it is another.
template <class T> const T* optional(nb::handle h, nb::object& keep, long count, int type, bool& fits) {
    if (h.is_none()) return nullptr;
    if (!is_array(h) || Array(h).count() != count || Array(h).type() != type) {
        fits = false;
        return nullptr;
    }
    keep = straight(h);
    return Array(keep).data<T>();
}

// (N, C, *) as N samples of C runs of L elements; in channels-last order every point is a sample, of C runs of one.
struct Planes {
    long n, c, l = 1;
    bool last;
    explicit Planes(const Array& x) : n(x.size(0)), c(x.size(1)), last(!x.contiguous()) {
        for (int d = 2; d < x.ndim(); d++) (last ? n : l) *= x.size(d);
    }
    long count() const { return n * c * l; }
};

bool planes_fit(nb::handle h) {
    return is_array(h) && Array(h).ndim() >= 2 && Array(h).count() > 0 && (Array(h).contiguous() || channels_last(Array(h)));
}

// The array's elements in the order of those planes.
nb::object in_planes(nb::handle h, const Planes& p) { return straight(p.last ? channels_moved(Array(h)) : nb::borrow(h)); }

// batch_norm(input, weight, bias, eps) to (out, mean, var)
nb::object batch_norm(nb::handle input, nb::handle weight, nb::handle bias, double eps) {
    if (!planes_fit(input)) return decline();
    Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        const Planes p(x);
        nb::object keep[2], out = fresh_as(x), mean = fresh({p.c}, x.type()), var = fresh({p.c}, x.type());
        bool fits = true;
        const T *w = optional<T>(weight, keep[0], p.c, x.type(), fits), *b = optional<T>(bias, keep[1], p.c, x.type(), fits);
        if (!fits) return decline();
        quietly(double(p.count()) * 4, [&] {
            kernels<T>().norm.batch(p.n, p.c, p.l, x.data<T>(), w, b, T(eps), Array(out).data<T>(), Array(mean).data<T>(),
                                    Array(var).data<T>());
        });
        return nb::make_tuple(out, mean, var);
    });
}

// batch_norm_grad(grad, input, weight, mean, var, eps, needs) to (by_input, by_weight, by_bias)
nb::object batch_norm_grad(nb::handle grad, nb::handle input, nb::handle weight, nb::handle mean, nb::handle var, double eps,
                           nb::tuple needs) {
    if (!planes_fit(input) || !is_array(grad) || Array(grad).type() != Array(input).type() || Array(grad).count() != Array(input).count())
        return decline();
    Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        const Planes p(x);
        nb::object keep[4] = {in_planes(grad, p)};
        bool fits = !mean.is_none() && !var.is_none();
        const T *w = optional<T>(weight, keep[1], p.c, x.type(), fits), *m = optional<T>(mean, keep[2], p.c, x.type(), fits),
                *v = optional<T>(var, keep[3], p.c, x.type(), fits);
        if (!fits) return decline();
        const bool wanted = nb::cast<bool>(needs[0]);
        nb::object by_input = wanted ? fresh_as(x) : fresh({0}, x.type()), by_weight = fresh({p.c}, x.type()),
                   by_bias = fresh({p.c}, x.type());
        quietly(double(p.count()) * 4, [&] {
            kernels<T>().norm.batch_grad(p.n, p.c, p.l, Array(keep[0]).data<T>(), x.data<T>(), w, m, v, T(eps),
                                         wanted ? Array(by_input).data<T>() : nullptr, Array(by_weight).data<T>(),
                                         Array(by_bias).data<T>());
        });
        return nb::make_tuple(by_input, by_weight, by_bias);
    });
}

// batch_norm_infer(input, weight, bias, mean, var, eps)
nb::object batch_norm_infer(nb::handle input, nb::handle weight, nb::handle bias, nb::handle mean, nb::handle var, double eps) {
    if (!planes_fit(input)) return decline();
    Array x(input);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        const Planes p(x);
        nb::object keep[4];
        bool fits = !mean.is_none() && !var.is_none();
        const T *w = optional<T>(weight, keep[0], p.c, x.type(), fits), *b = optional<T>(bias, keep[1], p.c, x.type(), fits),
                *m = optional<T>(mean, keep[2], p.c, x.type(), fits), *v = optional<T>(var, keep[3], p.c, x.type(), fits);
        if (!fits) return decline();
        std::vector<T> scale(size_t(p.c)), shift(size_t(p.c));
        for (size_t i = 0; i < scale.size(); i++) {
            scale[i] = T(1) / std::sqrt(v[i] + T(eps)) * (w ? w[i] : T(1));
            shift[i] = (b ? b[i] : T(0)) - m[i] * scale[i];
        }
        nb::object out = fresh_as(x);
        quietly(double(p.count()) * 2,
                [&] { kernels<T>().norm.scale_shift(p.n, p.c, p.l, x.data<T>(), scale.data(), shift.data(), Array(out).data<T>()); });
        return out;
    });
}

long product_of(nb::tuple shape) {
    long n = 1;
    for (nb::handle h : shape) n *= nb::cast<long>(h);
    return n;
}

// Whether `h` is None or, with `more` 0, a parameter of the normalized shape; with 1, one of group norm, (groups, channels of a group, 1).
bool ranked(nb::handle h, nb::tuple shape, int more) {
    return h.is_none() || (is_array(h) && Array(h).ndim() == int(nb::len(shape)) + more);
}

// (rows, channels of a row, elements of a channel) of group norm: its input is (N, groups, channels, L) and a parameter
// (groups, channels, 1). `groups` 0: it is none.
struct Groups {
    long groups = 0, per = 1, l = 1;
    Groups(const Array& x, nb::tuple shape, nb::handle parameter) {
        if (nb::len(shape) != 2 || x.ndim() != 4 || !is_array(parameter) || Array(parameter).ndim() != 3) return;
        const Array p(parameter);
        if (p.size(0) != x.size(1) || p.size(1) != x.size(2) || p.size(2) != 1 || product_of(shape) != x.size(2) * x.size(3)) return;
        groups = x.size(1), per = x.size(2), l = x.size(3);
    }
};

// layer_norm(input, normalized_shape, weight, bias, eps, centre) to (out, mean, rstd)
nb::object layer_norm(nb::handle input, nb::handle normalized_shape, nb::handle weight, nb::handle bias, double eps, bool centre) {
    if (!is_array(input) || !PyTuple_Check(normalized_shape.ptr())) return decline();
    const long width = product_of(nb::borrow<nb::tuple>(normalized_shape));
    if (width < 1 || !Array(input).count()) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object keep[3] = {straight(input)};
        Array x(keep[0]);
        const long rows = x.count() / width;
        bool fits = true;
        const nb::tuple sizes = nb::borrow<nb::tuple>(normalized_shape);
        const Groups grouped(Array(input), sizes, weight.is_none() ? bias : weight);
        const int more = grouped.groups > 0;
        const long count = more ? grouped.groups * grouped.per : width;
        const T *w = optional<T>(weight, keep[1], count, x.type(), fits), *b = optional<T>(bias, keep[2], count, x.type(), fits);
        if (!fits || (more && !centre) || !ranked(weight, sizes, more) || !ranked(bias, sizes, more)) return decline();
        nb::object out = fresh_like(x), mean = centre ? fresh({rows, 1}, x.type()) : nb::none(), rstd = fresh({rows, 1}, x.type());
        T* m = centre ? Array(mean).data<T>() : nullptr;
        T *y = Array(out).data<T>(), *s = Array(rstd).data<T>();
        const auto [groups, per, l] = grouped;
        quietly(double(x.count()) * 4, [&, groups = groups, per = per, l = l] {
            if (more) kernels<T>().norm.group(rows, groups, per, l, x.data<T>(), w, b, T(eps), y, m, s);
            else kernels<T>().norm.layer(rows, width, x.data<T>(), w, b, T(eps), y, m, s);
        });
        return nb::make_tuple(out, mean, rstd);
    });
}

// layer_norm_grad(grad, input, shape, weight, mean, rstd, needs) to (by_input, by_weight, by_bias); `shape` is that of the parameters
nb::object layer_norm_grad(nb::handle grad, nb::handle input, nb::handle shape, nb::handle weight, nb::handle mean, nb::handle rstd,
                           nb::tuple needs) {
    if (!is_array(grad) || !is_array(input) || !is_array(rstd) || !PyTuple_Check(shape.ptr())) return decline();
    if (Array(grad).type() != Array(input).type() || Array(grad).count() != Array(input).count()) return decline();
    const nb::tuple sizes = nb::borrow<nb::tuple>(shape);
    const long count = product_of(sizes);  // of each parameter
    if (!nb::len(sizes) || count < 1 || !Array(input).count()) return decline();
    return by_type(Array(input), [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object keep[5] = {straight(grad), straight(input)};
        Array g(keep[0]), x(keep[1]);
        const long rows = Array(rstd).count(), width = x.count() / std::max(rows, 1L);
        const long end = nb::cast<long>(sizes[nb::len(sizes) - 1]);  // of a channel's place 1, else what the input has too
        const bool grouped = rows * width == x.count() && (width != count || x.size(-1) > end);  // as in Groups
        const long l = grouped ? x.size(-1) : 1, per = width / l;
        bool fits = grouped ? nb::len(sizes) == 3 && x.ndim() == 4 && count == x.size(1) * x.size(2) && per == x.size(2) : width == count;
        const T *w = optional<T>(weight, keep[2], count, x.type(), fits), *m = optional<T>(mean, keep[3], rows, x.type(), fits),
                *s = optional<T>(rstd, keep[4], rows, x.type(), fits);
        if (!fits || (grouped && !m)) return decline();
        std::vector<npy_intp> each;
        for (nb::handle h : sizes) each.push_back(nb::cast<npy_intp>(h));
        auto made = [&](int i) -> nb::object {
            if (!nb::cast<bool>(needs[size_t(i)])) return fresh({0}, x.type());
            return i ? fresh((int)each.size(), each.data(), x.type()) : fresh_like(x);
        };
        nb::object out[3] = {made(0), made(1), made(2)};
        auto data = [&](int i) { return nb::cast<bool>(needs[size_t(i)]) ? Array(out[i]).data<T>() : nullptr; };
        T* to[3] = {data(0), data(1), data(2)};
        quietly(double(x.count()) * 4, [&] {
            const auto& k = kernels<T>().norm;
            if (grouped) k.group_grad(rows, count / per, per, l, g.data<T>(), x.data<T>(), w, m, s, to[0], to[1], to[2]);
            else k.layer_grad(rows, width, g.data<T>(), x.data<T>(), w, m, s, to[0], to[1], to[2]);
        });
        return nb::make_tuple(out[0], out[1], out[2]);
    });
}

}  // namespace

void bind_norm(nb::module_& m) {
    m.def("batch_norm", &batch_norm, nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg());
    m.def("batch_norm_grad", &batch_norm_grad, nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("batch_norm_infer", &batch_norm_infer, nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg().none(), nb::arg().none(),
          nb::arg());
    m.def("layer_norm", &layer_norm, nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg(), nb::arg());
    m.def("layer_norm_grad", &layer_norm_grad, nb::arg(), nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg(), nb::arg());
}

}  // namespace dovetail
