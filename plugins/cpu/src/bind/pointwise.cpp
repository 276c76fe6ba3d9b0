// Functions element by element, of NumPy arrays: how two operands lie beside each other is found here.
#include <string_view>

#include "bind.h"

namespace dovetail {
namespace {

// Whether the elements fill a run of memory without gaps, in the order of the dimensions or another: the type's own order.
bool dense(const Array& x) { return PyArray_IS_C_CONTIGUOUS(x.a) || PyArray_IS_F_CONTIGUOUS(x.a); }

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

template <Unary F> nb::object unary(nb::handle input) {
    if (!is_array(input)) return decline();
    Array x(input);
    if (!x.aligned() || !(dense(x) || in_order(x))) return decline();
    return by_type(x, [&](auto t) -> nb::object {
        using T = decltype(t);
        if (!dense(x)) {  // a copy without the gaps, in place
            nb::object out = straight(input);
            T* at = Array(out).data<T>();
            quietly(double(x.count()), [&] { kernels<T>().pointwise.unary(F, at, at, x.count()); });
            return out;
        }
        nb::object out = fresh_as(x);
        quietly(double(x.count()), [&] { kernels<T>().pointwise.unary(F, x.data<T>(), Array(out).data<T>(), x.count()); });
        return out;
    });
}

// gelu(input, approximate)
nb::object gelu(nb::handle input, const char* approximate) {
    if (is_array(input) && Array(input).type() != NPY_FLOAT32) return decline();
    const std::string_view how = approximate;
    return how == "none" ? unary<Unary::gelu>(input) : how == "tanh" ? unary<Unary::gelu_tanh>(input) : decline();
}
nb::object erf(nb::handle input) {
    if (is_array(input) && Array(input).type() != NPY_FLOAT32) return decline();
    return unary<Unary::erf>(input);
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
    for (int d = 0; d < a.ndim(); d++)
        if (a.size(d) != b.size(d)) return false;
    return (PyArray_IS_C_CONTIGUOUS(a.a) && PyArray_IS_C_CONTIGUOUS(b.a)) || (PyArray_IS_F_CONTIGUOUS(a.a) && PyArray_IS_F_CONTIGUOUS(b.a));
}

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

template <Binary F> nb::object binary(nb::handle input, nb::handle other) {
    if (!is_array(input)) return decline();
    Array a(input);
    if (!a.aligned()) return decline();
    double value;
    if (!is_array(other)) {
        if (!number(other, value) || !dense(a)) return decline();
        return by_type(a, [&](auto t) -> nb::object {
            using T = decltype(t);
            if (std::isfinite(value) && !std::isfinite(T(value))) return decline();
            nb::object out = fresh_as(a);
            Pairing how;
            how.n = a.count(), how.inner[1] = 0;
            T b = T(value);
            quietly(double(how.n), [&] { kernels<T>().pointwise.binary(F, how, a.data<T>(), &b, Array(out).data<T>()); });
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
    return by_type(a, [&](auto t) -> nb::object {
        using T = decltype(t);
        if (!alike && !(PyArray_IS_C_CONTIGUOUS(a.a) || PyArray_IS_C_CONTIGUOUS(b.a)))
            return decline();  // the result's layout is NumPy's to choose
        nb::object out = alike ? fresh_as(a) : fresh(ndim, shape, a.type());
        Array c(out);
        if (!c.count()) return out;
        quietly(double(c.count()), [&] { kernels<T>().pointwise.binary(F, how, a.data<T>(), b.data<T>(), c.data<T>()); });
        return out;
    });
}

template <Binary F> nb::object float_binary(nb::handle grad, nb::handle input) {
    if (is_array(grad) && Array(grad).type() != NPY_FLOAT32) return decline();
    return binary<F>(grad, input);
}
nb::object gelu_grad(nb::handle grad, nb::handle input, const char* approximate) {
    return std::string_view(approximate) == "none" ? float_binary<Binary::gelu_grad>(grad, input)
                                                   : float_binary<Binary::gelu_tanh_grad>(grad, input);
}

// The loss of each element of two arrays that lie alike, or their mean or sum.
template <Binary F> nb::object loss(nb::handle input, nb::handle target, const char* reduction) {
    if (!is_array(input) || !is_array(target) || !same_layout(Array(input), Array(target)) || !Array(input).count()) return decline();
    nb::object each = binary<F>(input, target);
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
    return weight.is_none() ? loss<Binary::cross_entropy>(input, target, reduction) : decline();
}
nb::object bce_logits(nb::handle input, nb::handle target, nb::handle weight, nb::handle pos_weight, const char* reduction) {
    return weight.is_none() && pos_weight.is_none() ? loss<Binary::cross_entropy_logits>(input, target, reduction) : decline();
}
nb::object mse_loss(nb::handle input, nb::handle target, const char* reduction, nb::handle) {
    return loss<Binary::squared_difference>(input, target, reduction);
}

}  // namespace

void bind_pointwise(nb::module_& m) {
    m.def("neg", &unary<Unary::neg>);
    m.def("abs", &unary<Unary::abs>);
    m.def("square", &unary<Unary::square>);
    m.def("sqrt", &unary<Unary::sqrt>);
    m.def("rsqrt", &unary<Unary::rsqrt>);
    m.def("reciprocal", &unary<Unary::reciprocal>);
    m.def("exp", &unary<Unary::exp>);
    m.def("log", &unary<Unary::log>);
    m.def("tanh", &unary<Unary::tanh>);
    m.def("sigmoid", &unary<Unary::sigmoid>);
    m.def("relu", &unary<Unary::relu>);
    m.def("silu", &unary<Unary::silu>);
    m.def("erf", &erf);
    m.def("gelu", &gelu);
    m.def("add", &binary<Binary::add>);
    m.def("sub", &binary<Binary::sub>);
    m.def("mul", &binary<Binary::mul>);
    m.def("div", &binary<Binary::div>);
    m.def("maximum", &binary<Binary::maximum>);
    m.def("minimum", &binary<Binary::minimum>);
    m.def("prelu", &binary<Binary::prelu>);
    m.def("tanh_grad", &binary<Binary::tanh_grad>);
    m.def("sigmoid_grad", &binary<Binary::sigmoid_grad>);
    m.def("relu_grad", &binary<Binary::relu_grad>);
    m.def("silu_grad", &binary<Binary::silu_grad>);
    m.def("gelu_grad", &gelu_grad);
    m.def("binary_cross_entropy", &bce, nb::arg(), nb::arg(), nb::arg().none(), nb::arg());
    m.def("binary_cross_entropy_with_logits", &bce_logits, nb::arg(), nb::arg(), nb::arg().none(), nb::arg().none(), nb::arg());
    m.def("mse_loss", &mse_loss);
}

}  // namespace dovetail
