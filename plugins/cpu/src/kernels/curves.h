// Activations and losses of differences that are made of a few pieces, with their slopes.
#pragma once

namespace dovetail {

enum class Curve {
    leaky_relu,  // slope below 0
    elu,         // alpha, scale, input_scale
    softplus,    // beta, threshold
    logsigmoid,
    hardtanh,  // the two bounds
    hardswish,
    hardsigmoid,
    magnitude,   // |x|
    huber,       // bound, divisor
    softshrink,  // half of the width that becomes 0, likewise
    hardshrink,
    threshold,  // bound, what is put below it
};

// The numbers of a curve, as its op names them.
struct Shape {
    double a = 0, b = 0, c = 0;
};

template <class T> struct CurvesKernels {
    void (*value)(Curve f, const Shape& s, const T* x, T* out, long n);
    // grad times the slope at x; grad has `step` 1, or 0: one number for all.
    void (*slope)(Curve f, const Shape& s, const T* grad, long step, const T* x, T* out, long n);
    // Gates, (outer, 2, inner) to (outer, inner): the first half times the sigmoid of the second; and the gradient of that.
    void (*gate)(long outer, long inner, const T* x, T* out);
    void (*gate_grad)(long outer, long inner, const T* g, const T* x, T* out);
};

}  // namespace dovetail
