// The four pixels around each of some places of a plane, and what each counts: for all that reads planes between their pixels.
#pragma once
#include <cmath>
#include <cstdint>

namespace dovetail::ISA {
namespace {

constexpr long SOME = 256;

// Offsets into a plane, -1 outside of it, and weights; the shares of the right column and of the lower row.
template <class T> struct Corners {
    int32_t at[4][SOME];
    T weight[4][SOME];
    T right[SOME], lower[SOME];
};

// a * b + c, rounded once, as the compiler of PyTorch makes of its products and sums.
template <class T> inline T fused(T a, T b, T c) {
#ifdef FP_FAST_FMAF
    return std::fma(a, b, c);
#else
    return T(double(a) * double(b) + double(c));
#endif
}

// What is further outside is a pixel or two outside, and so is what is no number.
template <class T> inline T held(T v, T size) {
    v = v < size ? v : size;
    return v > T(-2) ? v : T(-2);
}
// All ones where both are pixels of the image, else zeros: without a branch, so that loops are vectorized.
inline int32_t inside(int32_t x, int32_t y, int32_t width, int32_t height) {
    return -int32_t(uint32_t(x) < uint32_t(width)) & -int32_t(uint32_t(y) < uint32_t(height));
}

// Of the places (x, y), in pixels; what is no number or infinite counts as no number, and lies outside.
template <class T> void around(const T* __restrict x, const T* __restrict y, long n, long w, long h, Corners<T>& __restrict c) {
    const int32_t width = int32_t(w), height = int32_t(h);
    for (long k = 0; k < n; k++) {
        const T left = std::floor(x[k]), top = std::floor(y[k]);
        const int32_t x0 = int32_t(held(left, T(w))), y0 = int32_t(held(top, T(h))), x1 = x0 + 1, y1 = y0 + 1;
        const T right_share = x[k] - left, lower_share = y[k] - top, left_share = T(1) - right_share, upper_share = T(1) - lower_share;
        c.right[k] = right_share, c.lower[k] = lower_share;
        c.at[0][k] = (y0 * width + x0) | ~inside(x0, y0, width, height), c.weight[0][k] = upper_share * left_share;
        c.at[1][k] = (y0 * width + x1) | ~inside(x1, y0, width, height), c.weight[1][k] = upper_share * right_share;
        c.at[2][k] = (y1 * width + x0) | ~inside(x0, y1, width, height), c.weight[2][k] = lower_share * left_share;
        c.at[3][k] = (y1 * width + x1) | ~inside(x1, y1, width, height), c.weight[3][k] = lower_share * right_share;
    }
}

// Whatever the image holds, what is outside of it is zero.
template <class T> inline T pixel(const T* plane, int32_t at) {
    const T v = plane[at > 0 ? at : 0];
    return at < 0 ? T(0) : v;
}

}  // namespace
}  // namespace dovetail::ISA
