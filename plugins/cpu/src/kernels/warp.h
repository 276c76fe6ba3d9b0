// Planes read between their pixels: what turns, shears or bends an image.
#pragma once
#include <cstdint>

namespace dovetail {

// Where each pixel of the result comes from, in -1..1 over the image: of the pixel (j + x0, i + y0, 1) the first two rows of `numbers`
// over the third, plus `shift`; or the pairs (x, y) of `grid`, where that is given.
template <class T> struct Warp {
    long planes, h, w, oh, ow;
    const T* numbers;
    T x0, y0, shift;
    const T* grid;
    const T* fill;  // one a plane for what comes from outside; null: zeros
};

template <class T> struct WarpKernels {
    // The mean of the four pixels around each place, weighted by how near they are.
    void (*between)(const Warp<T>& s, const T* image, T* out);
    // Likewise, rounded to bytes, halves to even.
    void (*between_bytes)(const Warp<T>& s, const T* image, uint8_t* out);
};

}  // namespace dovetail
