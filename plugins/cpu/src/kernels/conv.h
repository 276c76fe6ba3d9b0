// Convolution in two dimensions (one dimension is a height of 1) and its two gradients, on contiguous NCHW arrays.
#pragma once

namespace dovetail {

struct ConvShape {
    long n, c, h, w;  // input
    long o, oh, ow;   // output
    long kh, kw;      // kernel
    long sh, sw, ph, pw, dh, dw, groups;
    bool winograd;  // whether 3x3 kernels may use Winograd's transforms: fewer products, errors near 1e-5 instead of 1e-6
    long taps() const { return kh * kw; }
    long points() const { return oh * ow; }
};

template <class T> struct ConvKernels {
    void (*forward)(const ConvShape& s, const T* x, const T* weight, const T* bias, T* y);
    void (*input_grad)(const ConvShape& s, const T* dy, const T* weight, T* dx);
    void (*weight_grad)(const ConvShape& s, const T* x, const T* dy, T* dweight);
};

#ifdef ISA
namespace ISA {
// The four ways; each is told only shapes that it serves.
template <class T> void direct_forward(const ConvShape&, const T* x, const T* w, const T* bias, T* y);
template <class T> void direct_input_grad(const ConvShape&, const T* dy, const T* w, T* dx);
template <class T> void direct_weight_grad(const ConvShape&, const T* x, const T* dy, T* dw);

template <class T> void columns_forward(const ConvShape&, const T* x, const T* w, const T* bias, T* y);
template <class T> void columns_input_grad(const ConvShape&, const T* dy, const T* w, T* dx);
template <class T> void columns_weight_grad(const ConvShape&, const T* x, const T* dy, T* dw);

template <class T> void depthwise_forward(const ConvShape&, const T* x, const T* w, const T* bias, T* y);
template <class T> void depthwise_input_grad(const ConvShape&, const T* dy, const T* w, T* dx);
template <class T> void depthwise_weight_grad(const ConvShape&, const T* x, const T* dy, T* dw);

void winograd_forward(const ConvShape&, const float* x, const float* w, const float* bias, float* y);
void winograd_input_grad(const ConvShape&, const float* dy, const float* w, float* dx);
void winograd_weight_grad(const ConvShape&, const float* x, const float* dy, float* dw);
}  // namespace ISA
#endif

}  // namespace dovetail
