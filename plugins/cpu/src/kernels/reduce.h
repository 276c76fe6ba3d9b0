// Sums over the outer and inner dimensions of (outer, kept, inner), running sums, and rows taken from and added to a table.
#pragma once
#include <cstdint>

namespace dovetail {

template <class T> struct ReduceKernels {
    // out[k] = scale * Σ over outer and inner.
    void (*sum)(long outer, long kept, long inner, const T* x, T scale, T* out);
    // Running sums along the middle one of (outer, n, inner), added in double.
    void (*running)(long outer, long n, long inner, const T* x, T* out);
    // out[i] = table[index[i]], rows of `width`; indices are known to fit.
    void (*take_rows)(long count, long width, const T* table, const int64_t* index, T* out);
    // out[o, index[o, i, j], j] += alpha * x[o, i, j] for x of (outer, n, inner) and out of (outer, size, inner); `step` is that of
    // the index along the three.
    void (*add_at)(long outer, long n, long inner, long size, const T* x, const int64_t* index, const long (&step)[3], T alpha, T* out);
    // out[index[i]] += rows[i] on zeros; row `skip` stays zero.
    void (*add_rows)(long count, long width, const T* rows, const int64_t* index, long skip, long table_rows, T* out);
};

}  // namespace dovetail
