// Softmax and its kin along the middle one of (outer, n, inner): classes of pixels, channels of images.
#pragma once
#include <cstdint>

namespace dovetail {

template <class T> struct ChannelsKernels {
    void (*softmax)(long outer, long n, long inner, const T* x, T* out);
    void (*softmax_grad)(long outer, long n, long inner, const T* g, const T* y, T* out);
    void (*log_softmax)(long outer, long n, long inner, const T* x, T* out);
    void (*log_softmax_grad)(long outer, long n, long inner, const T* g, const T* y, T* out);
    void (*log_sum)(long outer, long n, long inner, const T* x, T* out);
    // (exp(logp) - 1 at the label) * scale for labels and scales of (outer, inner); zero where the label is negative.
    void (*cross_entropy_grad)(long outer, long n, long inner, const T* logp, const int64_t* label, const T* scale, T* out);
};

}  // namespace dovetail
