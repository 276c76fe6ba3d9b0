// Sums over the outer and inner dimensions of (outer, kept, inner); running sums and products.
#pragma once
namespace dovetail {

template <class T> struct ReduceKernels {
    // out[k] = scale * Σ over outer and inner.
    void (*sum)(long outer, long kept, long inner, const T* x, T scale, T* out);
    // Running sums along the middle one of (outer, n, inner), added in double.
    void (*running)(long outer, long n, long inner, const T* x, T* out);
    // Likewise products; and, from a gradient of theirs, that of x.
    void (*products)(long outer, long n, long inner, const T* x, T* out);
    void (*products_grad)(long outer, long n, long inner, const T* grad, const T* x, T* out);
};

}  // namespace dovetail
