// Functions element by element, of NumPy arrays: how two operands lie beside each other is found here.
#include <string_view>

#include "../pool.h"
#include "bind.h"

namespace dovetail {
namespace {

// Whether the elements fill a run of memory without gaps, in whatever order of the dimensions.
bool dense(const Array& x) {
    if (PyArray_IS_C_CONTIGUOUS(x.a) || PyArray_IS_F_CONTIGUOUS(x.a)) return true;
    long reach = 1;
    for (int d = 0; d < x.ndim(); d++) {
        if (x.size(d) > 1 && x.stride(d) <= 0) return false;
        reach += (x.size(d) - 1) * x.stride(d);
    }
    if (reach != x.count()) return false;  // as many places as elements; each element has its own, if no two dimensions overlap
    for (int d = 0; d < x.ndim(); d++) {
        long within = 1;
        for (int e = 0; e < x.ndim(); e++)
            if (e != d && x.size(e) > 1 && x.stride(e) < x.stride(d)) within += (x.size(e) - 1) * x.stride(e);
        if (x.size(d) > 1 && within > x.stride(d)) return false;
    }
    return true;
}

// Whether the dimensions lie in memory in their order, with gaps: then NumPy's results lie so too, without.
bool in_order(const Array& x) {
    long least = 1;
    for (int d = x.ndim() - 1; d >= 0; d--) {
        if (x.size(d) == 1) continue;
        if (x.stride(d) < least) return false;
        least = x.stride(d) * x.size(d);
    }
    return true;
}

// A new array, or with `into` the given one, written over.
nb::object unary_of(Unary f, bool into, nb::handle input) {
    if (!is_array(input)) return decline();
    Array x(input);
    if (into && !dense(x)) return decline();
    if (!x.aligned() || !(dense(x) || in_order(x))) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        if (const long n = x.ndim() ? x.size(-1) : 1; !dense(x) && n >= 64 && x.stride(-1) == 1) {  // rows without the gaps
            nb::object out = fresh_like(x);
            quietly(double(x.count()), [&] {
                parallel_range(x.count() / n, std::max(1L, 32768 / n), [&](long row, long end) {
                    for (; row < end; row++) {
                        const T* from = x.data<T>();
                        for (long d = x.ndim() - 2, rest = row; d >= 0; rest /= x.size(int(d)), d--)
                            from += rest % x.size(int(d)) * x.stride(int(d));
                        kernels<T>().pointwise.unary(f, from, Array(out).data<T>() + row * n, n);
                    }
                });
            });
            return out;
        }
        if (!dense(x)) {  // a copy without the gaps, in place
            nb::object out = straight(input);
            T* at = Array(out).data<T>();
            quietly(double(x.count()), [&] { kernels<T>().pointwise.unary(f, at, at, x.count()); });
            return out;
        }
        nb::object out = into ? nb::borrow(input) : fresh_as(x);
        quietly(double(x.count()), [&] { kernels<T>().pointwise.unary(f, x.data<T>(), Array(out).data<T>(), x.count()); });
        return out;
    });
}

template <Unary F, bool INTO = false> nb::object unary(nb::handle input) { return unary_of(F, INTO, input); }

// gelu(input, approximate)
nb::object gelu(nb::handle input, const char* approximate) {
    if (is_array(input) && Array(input).type() != NPY_FLOAT32) return decline();
    const std::string_view how = approximate;
    return how == "none" ? unary_of(Unary::gelu, false, input) : how == "tanh" ? unary_of(Unary::gelu_tanh, false, input) : decline();
}
nb::object erf(nb::handle input) {
    if (is_array(input) && Array(input).type() != NPY_FLOAT32) return decline();
    return unary_of(Unary::erf, false, input);
}

// The shape that two broadcast to, and the loops over it; false where the loops would be more than the kernel has.
bool pair_up(const Array& a, const Array& b, npy_intp (&shape)[NPY_MAXDIMS], int& ndim, Pairing& how) {
    ndim = std::max(a.ndim(), b.ndim());
    long step[2][NPY_MAXDIMS];
    for (int d = 0; d < ndim; d++) {
        int at[2] = {d - ndim + a.ndim(), d - ndim + b.ndim()};
        long size[2] = {at[0] >= 0 ? a.size(at[0]) : 1, at[1] >= 0 ? b.size(at[1]) : 1};
        if (size[0] != size[1] && size[0] != 1 && size[1] != 1) return false;
        shape[d] = size[0] == 1 ? size[1] : size[0];
        step[0][d] = size[0] == 1 ? 0 : a.stride(at[0]);
        step[1][d] = size[1] == 1 ? 0 : b.stride(at[1]);
    }
    // Dimensions that continue each other in both operands become one; what is left are the loops, innermost last.
    long size[NPY_MAXDIMS], steps[2][NPY_MAXDIMS];
    int n = 0;
    for (int d = 0; d < ndim; d++) {
        if (shape[d] == 1) continue;
        bool joins = n > 0;
        for (int k = 0; k < 2 && joins; k++) joins = steps[k][n - 1] == step[k][d] * shape[d];
        if (joins) size[n - 1] *= shape[d];
        else size[n++] = shape[d];
        for (int k = 0; k < 2; k++) steps[k][n - 1] = step[k][d];
    }
    if (n == 0) {
        how.n = 1;
        return true;
    }
    how.n = size[n - 1];
    for (int k = 0; k < 2; k++) {
        if (steps[k][n - 1] != 0 && steps[k][n - 1] != 1) return false;
        how.inner[k] = (int)steps[k][n - 1];
    }
    how.dims = n - 1;
    if (how.dims > 4 || (how.dims && how.n < 8) || (!how.inner[0] && !how.inner[1])) return false;
    for (int d = 0; d < how.dims; d++) {
        how.outer[d] = size[d];
        for (int k = 0; k < 2; k++) how.step[k][d] = steps[k][d];
    }
    return true;
}

bool same_layout(const Array& a, const Array& b) {
    if (a.ndim() != b.ndim()) return false;
    bool steps = true;
    for (int d = 0; d < a.ndim(); d++) {
        if (a.size(d) != b.size(d)) return false;
        steps = steps && (a.size(d) == 1 || a.stride(d) == b.stride(d));
    }
    return (PyArray_IS_C_CONTIGUOUS(a.a) && PyArray_IS_C_CONTIGUOUS(b.a)) || (steps && dense(a));
}

// Whether what is written to `a`, element by element, is not read from `b` at another place.
bool apart(const Array& a, const Array& b) { return !overlap(a, b) || (a.data<char>() == b.data<char>() && same_layout(a, b)); }

// A Python number beside an array.
bool number(nb::handle h, double& value) {
    if (PyFloat_CheckExact(h.ptr())) value = PyFloat_AS_DOUBLE(h.ptr());
    else if (PyLong_CheckExact(h.ptr())) value = PyLong_AsDouble(h.ptr());
    else return false;
    if (value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return false;
    }
    return true;
}

// A new array, or with `into` the first one, written over.
nb::object binary_of(Binary f, bool into, nb::handle input, nb::handle other) {
    if (!is_array(input)) return decline();
    Array a(input);
    if (!a.aligned()) return decline();
    double value;
    if (!is_array(other)) {
        if (!number(other, value) || !dense(a)) return decline();
        return by_type(a, [&](auto t) -> nb::object {
            using T = decltype(t);
            if (std::isfinite(value) && !std::isfinite(T(value))) return decline();
            nb::object out = into ? nb::borrow(input) : fresh_as(a);
            Pairing how;
            how.n = a.count(), how.inner[1] = 0;
            T b = T(value);
            quietly(double(how.n), [&] { kernels<T>().pointwise.binary(f, how, a.data<T>(), &b, Array(out).data<T>()); });
            return out;
        });
    }
    Array b(other);
    if (a.type() != b.type() || !b.aligned()) return decline();
    npy_intp shape[NPY_MAXDIMS];
    int ndim = 0;
    Pairing how;
    const bool alike = same_layout(a, b);
    if (alike) how.n = a.count();
    else if (!pair_up(a, b, shape, ndim, how)) return decline();
    if (into && (!apart(a, b) || !(alike || (a.contiguous() && ndim == a.ndim() && std::equal(shape, shape + ndim, a.shape())))))
        return decline();
    return by_type(a, [&](auto t) -> nb::object {
        using T = decltype(t);
        const bool rows = a.ndim() == b.ndim() && std::equal(shape, shape + ndim, a.shape()) &&
                          std::equal(shape, shape + ndim, b.shape()) && in_order(a) && in_order(b);
        if (!alike && !rows && !(PyArray_IS_C_CONTIGUOUS(a.a) || PyArray_IS_C_CONTIGUOUS(b.a)))
            return decline();  // the result's layout is NumPy's to choose
        nb::object out = into ? nb::borrow(input) : alike ? fresh_as(a) : fresh(ndim, shape, a.type());
        Array c(out);
        if (!c.count()) return out;
        quietly(double(c.count()), [&] { kernels<T>().pointwise.binary(f, how, a.data<T>(), b.data<T>(), c.data<T>()); });
        return out;
    });
}
template <Binary F, bool INTO = false> nb::object binary(nb::handle input, nb::handle other) { return binary_of(F, INTO, input, other); }

// input, one or two arrays of its shape, and a number
nb::object mixed_of(Mixed f, bool into, nb::handle input, nb::handle first, nb::handle second, nb::handle scale) {
    double s;
    if (!is_array(input) || !is_array(first) || !number(scale, s)) return decline();
    Array a(input), b(first), c(second.is_none() ? first : second);
    auto fits = [&](const Array& x) {
        return is_array(nb::handle((PyObject*)x.a)) && x.type() == a.type() && x.aligned() && x.contiguous() && same_layout(a, x) &&
               (!into || apart(a, x));
    };
    if (!a.aligned() || !a.contiguous() || !fits(b) || !fits(c)) return decline();
    return by_type(a, [&](auto t) -> nb::object {
        using T = decltype(t);
        if (std::isfinite(s) && !std::isfinite(T(s))) return decline();
        nb::object out = into ? nb::borrow(input) : fresh_like(a);
        quietly(double(a.count()), [&] {
            const T* third = second.is_none() ? nullptr : c.data<T>();
            kernels<T>().pointwise.mixed(f, T(s), a.data<T>(), b.data<T>(), third, Array(out).data<T>(), a.count());
        });
        return out;
    });
}
template <Mixed F, bool INTO> nb::object mixed(nb::handle a, nb::handle b, nb::handle c, nb::handle s) {
    return mixed_of(F, INTO, a, b, c, s);
}
template <Mixed F, bool INTO> nb::object with_one(nb::handle a, nb::handle b, nb::handle s) {
    return mixed_of(F, INTO, a, b, nb::none(), s);
}

nb::object gelu_grad(nb::handle grad, nb::handle input, const char* approximate) {
    if (is_array(grad) && Array(grad).type() != NPY_FLOAT32) return decline();
    return binary_of(std::string_view(approximate) == "none" ? Binary::gelu_grad : Binary::gelu_tanh_grad, false, grad, input);
}

// The loss of each element of two arrays that lie alike, or their mean or sum.
nb::object loss(Binary f, nb::handle input, nb::handle target, const char* reduction) {
    if (!is_array(input) || !is_array(target) || !same_layout(Array(input), Array(target)) || !Array(input).count()) return decline();
    nb::object each = binary_of(f, false, input, target);
    if (reduction[0] == 'n' || each.is(decline())) return each;
    Array x(each);
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        nb::object out = fresh(0, nullptr, x.type());
        const T scale = reduction[0] == 'm' ? T(1.0 / double(x.count())) : T(1);
        quietly(double(x.count()), [&] { kernels<T>().reduce.sum(x.count(), 1, 1, x.data<T>(), scale, Array(out).data<T>()); });
        return out;
    });
}
nb::object bce(nb::handle input, nb::handle target, nb::handle weight, const char* reduction) {
    return weight.is_none() ? loss(Binary::cross_entropy, input, target, reduction) : decline();
}
nb::object bce_logits(nb::handle input, nb::handle target, nb::handle weight, nb::handle pos_weight, const char* reduction) {
    return weight.is_none() && pos_weight.is_none() ? loss(Binary::cross_entropy_logits, input, target, reduction) : decline();
}
nb::object mse_loss(nb::handle input, nb::handle target, const char* reduction, nb::handle) {
    return loss(Binary::squared_difference, input, target, reduction);
}

// A function, and under its name with an underscore the one that writes over its first array.
template <Unary F> void unary_both(nb::module_& m, const std::string& name) {
    m.def(name.c_str(), &unary<F>), m.def((name + "_").c_str(), &unary<F, true>);
}
template <Binary F> void binary_both(nb::module_& m, const std::string& name) {
    m.def(name.c_str(), &binary<F>), m.def((name + "_").c_str(), &binary<F, true>);
}

}  // namespace

void bind_pointwise(nb::module_& m) {
    unary_both<Unary::neg>(m, "neg");
    unary_both<Unary::abs>(m, "abs");
    unary_both<Unary::square>(m, "square");
    unary_both<Unary::sqrt>(m, "sqrt");
    unary_both<Unary::rsqrt>(m, "rsqrt");
    unary_both<Unary::reciprocal>(m, "reciprocal");
    unary_both<Unary::exp>(m, "exp");
    unary_both<Unary::log>(m, "log");
    unary_both<Unary::tanh>(m, "tanh");
    unary_both<Unary::sigmoid>(m, "sigmoid");
    unary_both<Unary::relu>(m, "relu");
    unary_both<Unary::silu>(m, "silu");
    unary_both<Unary::sign>(m, "sign");
    unary_both<Unary::sign>(m, "sgn");
    m.def("erf", &erf);
    m.def("gelu", &gelu);
    binary_both<Binary::add>(m, "add");
    binary_both<Binary::sub>(m, "sub");
    binary_both<Binary::mul>(m, "mul");
    binary_both<Binary::div>(m, "div");
    binary_both<Binary::maximum>(m, "maximum");
    binary_both<Binary::minimum>(m, "minimum");
    binary_both<Binary::prelu>(m, "prelu");
    m.def("tanh_grad", &binary<Binary::tanh_grad>);
    m.def("sigmoid_grad", &binary<Binary::sigmoid_grad>);
    m.def("relu_grad", &binary<Binary::relu_grad>);
    m.def("silu_grad", &binary<Binary::silu_grad>);
    m.def("gelu_grad", &gelu_grad);
    m.def("binary_cross_entropy", &bce, nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
    m.def("binary_cross_entropy_with_logits", &bce_logits, nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg());
    m.def("mse_loss", &mse_loss);
    m.def("add_scaled", &with_one<Mixed::add_scaled, false>), m.def("add_scaled_", &with_one<Mixed::add_scaled, true>);
    m.def("lerp", &with_one<Mixed::lerp, false>), m.def("lerp_", &with_one<Mixed::lerp, true>);
    m.def("addcmul", &mixed<Mixed::addcmul, false>), m.def("addcmul_", &mixed<Mixed::addcmul, true>);
    m.def("addcdiv", &mixed<Mixed::addcdiv, false>), m.def("addcdiv_", &mixed<Mixed::addcdiv, true>);
}

}  // namespace dovetail
