// Activations and losses of differences that are made of a few pieces, with their slopes.
#pragma once

namespace dovetail {

enum class Curve {
    leaky_relu,   // slope below 0
    elu,          // alpha, scale, input_scale
    softplus,     // beta, threshold
    logsigmoid,
    hardtanh,     // the two bounds
    hardswish,
    hardsigmoid,
    magnitude,    // |x|
    huber,        // bound, divisor
};

// The numbers of a curve, as its op names them.
struct Shape {
    double a = 0, b = 0, c = 0;
};

template <class T> struct CurvesKernels {
    void (*value)(Curve f, const Shape& s, const T* x, T* out, long n);
    // grad times the slope at x; grad has `step` 1, or 0: one number for all.
    void (*slope)(Curve f, const Shape& s, const T* grad, long step, const T* x, T* out, long n);
};

}  // namespace dovetail
