// Functions of one and two arguments, element by element.
#pragma once

namespace dovetail {

enum class Unary { neg, abs, square, sqrt, rsqrt, reciprocal, exp, log, tanh, sigmoid, relu, silu, gelu, gelu_tanh, erf, sign };
enum class Binary {
    add,
    sub,
    mul,
    div,
    maximum,
    minimum,
    tanh_grad,
    sigmoid_grad,
    relu_grad,  // of the gradient and the result
    silu_grad,
    gelu_grad,
    gelu_tanh_grad,  // of the gradient and the argument
    cross_entropy,
    cross_entropy_logits,  // binary, of probabilities or logits and targets
    squared_difference,
    prelu  // of the argument and the slopes below 0
};

// Of two or three arguments that lie alike, and a number s.
enum class Mixed {
    add_scaled,  // a + s b
    lerp,        // from a to b
    addcmul,     // a + s b c
    addcdiv      // a + s b / c
};

// Two operands over a box of elements: `outer` times rows of `n`. Steps along a row are 0 (one value for all) or 1.
struct Pairing {
    long n = 1;
    int inner[2] = {1, 1};
    int dims = 0;  // of the outer loops, the last one fastest
    long outer[4] = {}, step[2][4] = {};
};

template <class T> struct PointwiseKernels {
    void (*unary)(Unary f, const T* x, T* out, long n);
    void (*binary)(Binary f, const Pairing& how, const T* a, const T* b, T* out);
    void (*mixed)(Mixed f, T s, const T* a, const T* b, const T* c, T* out, long n);
};

}  // namespace dovetail
