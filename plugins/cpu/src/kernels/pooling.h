// Max and average pooling of planes, max pooling of volumes, and their gradients.
#pragma once
#include <cstdint>

namespace dovetail {

struct PoolShape {
    long planes, h, w, oh, ow;
    long kh, kw, sh, sw, ph, pw, dh, dw;
    long d = 1, od = 1, kd = 1, sd = 1, pd = 0, dd = 1;  // of volumes
};

template <class T> struct PoolingKernels {
    // A plane is a volume here.
    void (*max)(const PoolShape& s, const T* x, T* out);
    // The gradient goes to the first greatest element of each window (a NaN counts as greatest).
    void (*max_grad)(const PoolShape& s, const T* g, const T* x, const T* out, T* by_input);
    // Sums of windows, divided by `count`, or by counts[i] for window i of a plane where that is given.
    void (*average)(const PoolShape& s, const T* x, T count, const T* counts, T* out);
    void (*average_grad)(const PoolShape& s, const T* g, T count, const T* counts, T* by_input);
};

}  // namespace dovetail
