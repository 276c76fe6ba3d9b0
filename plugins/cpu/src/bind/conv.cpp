// Convolution of NumPy arrays in one and two dimensions; three are left to the reference.
#include <vector>

#include "bind.h"

namespace dovetail {

namespace {

// A tuple of one or two small numbers, as (along the height, along the width).
bool pair_of(nb::handle h, long& first, long& second, long before) {
    if (!PyTuple_CheckExact(h.ptr())) return false;
    const Py_ssize_t n = PyTuple_GET_SIZE(h.ptr());
    if (n != 1 && n != 2) return false;
    first = n == 2 ? PyLong_AsLong(PyTuple_GET_ITEM(h.ptr(), 0)) : before;
    second = PyLong_AsLong(PyTuple_GET_ITEM(h.ptr(), n - 1));
    if (PyErr_Occurred()) throw nb::python_error();
    return true;
}

bool settings(ConvShape& s, nb::handle stride, nb::handle padding, nb::handle dilation, long groups, bool winograd) {
    s.groups = groups, s.winograd = winograd;
    return pair_of(stride, s.sh, s.sw, 1) && pair_of(padding, s.ph, s.pw, 0) && pair_of(dilation, s.dh, s.dw, 1);
}

void outputs(ConvShape& s) {
    s.oh = (s.h + 2 * s.ph - s.dh * (s.kh - 1) - 1) / s.sh + 1;
    s.ow = (s.w + 2 * s.pw - s.dw * (s.kw - 1) - 1) / s.sw + 1;
}

// Arrays of the same type with two or one spatial dimensions. However they lie, they are read in the order NCHW, and so are the results.
bool images(nb::handle a, nb::handle b) {
    if (!is_array(a) || !is_array(b)) return false;
    Array x(a), y(b);
    return (x.ndim() == 3 || x.ndim() == 4) && x.ndim() == y.ndim() && x.type() == y.type() &&
           (x.type() == NPY_FLOAT32 || x.type() == NPY_FLOAT64);
}
void image_sizes(const Array& x, long& n, long& c, long& h, long& w) {
    n = x.size(0), c = x.size(1), h = x.ndim() == 4 ? x.size(2) : 1, w = x.size(-1);
}

nb::object image(const Array& like, long n, long c, long h, long w) {
    return like.ndim() == 4 ? fresh({n, c, h, w}, like.type()) : fresh({n, c, w}, like.type());
}

double work(const ConvShape& s) { return double(s.n) * s.o * s.points() * (s.c / s.groups) * s.taps(); }
bool empty(const ConvShape& s) { return work(s) <= 0 || s.oh < 1 || s.ow < 1; }

// convolution(input, weight, bias, stride, padding, dilation, groups)
nb::object forward(nb::handle input, nb::handle weight, nb::handle bias, nb::handle stride, nb::handle padding, nb::handle dilation,
                   long groups, bool winograd) {
    ConvShape s;
    if (!images(input, weight) || !settings(s, stride, padding, dilation, groups, winograd)) return decline();
    Array x(input), w(weight);
    long per;
    image_sizes(x, s.n, s.c, s.h, s.w), image_sizes(w, s.o, per, s.kh, s.kw);
    outputs(s);
    if (empty(s) || per * groups != s.c || s.o % groups) return decline();
    if (!bias.is_none() && (!is_array(bias) || Array(bias).ndim() != 1 || Array(bias).size(0) != s.o || Array(bias).type() != x.type()))
        return decline();
    return by_type(x, [&](auto t) {
        using T = decltype(t);
        nb::object a = straight(input), b = straight(weight), added = bias.is_none() ? nb::none() : straight(bias);
        nb::object out = image(x, s.n, s.o, s.oh, s.ow);
        const T* bias_data = bias.is_none() ? nullptr : Array(added).data<T>();
        quietly(work(s), [&] { kernels<T>().conv.forward(s, Array(a).data<T>(), Array(b).data<T>(), bias_data, Array(out).data<T>()); });
        return as_images(out, channels_last(x) ? x : w);
    });
}

// convolution_input_grad(grad, weight, size, stride, padding, dilation, groups), also the transposed convolution
nb::object input_grad(nb::handle grad, nb::handle weight, nb::handle size, nb::handle stride, nb::handle padding, nb::handle dilation,
                      long groups, bool winograd) {
    ConvShape s;
    if (!images(grad, weight) || !settings(s, stride, padding, dilation, groups, winograd) || !pair_of(size, s.h, s.w, 1)) return decline();
    Array g(grad), w(weight);
    long per, o;
    image_sizes(g, s.n, s.o, s.oh, s.ow), image_sizes(w, o, per, s.kh, s.kw);
    s.c = per * groups;
    ConvShape usual = s;
    outputs(usual);
    if (empty(s) || o != s.o || s.o % groups || usual.oh != s.oh || usual.ow != s.ow) return decline();
    return by_type(g, [&](auto t) {
        using T = decltype(t);
        nb::object a = straight(grad), b = straight(weight), out = image(g, s.n, s.c, s.h, s.w);
        quietly(work(s), [&] { kernels<T>().conv.input_grad(s, Array(a).data<T>(), Array(b).data<T>(), Array(out).data<T>()); });
        return as_images(out, channels_last(g) ? g : w);
    });
}

// convolution_weight_grad(grad, input, size, stride, padding, dilation, groups)
nb::object weight_grad(nb::handle grad, nb::handle input, nb::handle size, nb::handle stride, nb::handle padding, nb::handle dilation,
                       long groups, bool winograd) {
    ConvShape s;
    if (!images(grad, input) || !settings(s, stride, padding, dilation, groups, winograd) || !pair_of(size, s.kh, s.kw, 1))
        return decline();
    Array g(grad), x(input);
    long n;
    image_sizes(x, s.n, s.c, s.h, s.w), image_sizes(g, n, s.o, s.oh, s.ow);
    ConvShape usual = s;
    outputs(usual);
    if (empty(s) || n != s.n || s.c % groups || s.o % groups || usual.oh != s.oh || usual.ow != s.ow) return decline();
    return by_type(g, [&](auto t) {
        using T = decltype(t);
        nb::object a = straight(input), b = straight(grad), out = image(g, s.o, s.c / groups, s.kh, s.kw);
        quietly(work(s), [&] { kernels<T>().conv.weight_grad(s, Array(a).data<T>(), Array(b).data<T>(), Array(out).data<T>()); });
        return out;
    });
}

}  // namespace

void bind_conv(nb::module_& m) {
    m.def("convolution", &forward, nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg());
    m.def("convolution_input_grad", &input_grad);
    m.def("convolution_weight_grad", &weight_grad);
}

}  // namespace dovetail
