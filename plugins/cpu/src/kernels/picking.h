// Elements picked along a dimension by an index, and added or written back to where they were picked.
#pragma once
#include <cstdint>

namespace dovetail {

// Along the middle one of (outer, size, inner), `n` are picked. `step` is that of the index along (outer, n, inner); all of it fits.
struct Picks {
    long outer, n, inner, size;
    long step[3];
};

enum class Giving { add, write, most, least, times };

template <class T> struct PickingKernels {
    // out[o, i, j] = x[o, index[o, i, j], j]
    void (*take)(const Picks& p, const T* x, const int64_t* index, T* out);
    // out[o, index[o, i, j], j] += alpha * x[o, i, j], in the order of i; or = x[o, i, j]; or what is greater, less, or the product, where
    // what is no number wins.
    void (*give)(const Picks& p, Giving how, const T* x, const int64_t* index, T alpha, T* out);
};

}  // namespace dovetail
