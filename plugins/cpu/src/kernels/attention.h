// Scaled dot-product attention of many heads: softmax(q kᵀ scale) v, and its gradients.
#pragma once
#include <cstdint>

namespace dovetail {

// Rows of one head: row i of head (b, h) begins at p + b * batch + h * head + i * row; its elements lie side by side.
template <class T> struct Heads {
    T* p;
    long batch, head, row;
    T* at(long b, long h) const { return p + b * batch + h * head; }
};
// Which keys a query may see: element (b, h, i, j) of a bool array with these steps; p null: all.
struct Mask {
    const uint8_t* p;
    long batch, head, row, column;
};

struct AttentionShape {
    long batch, heads, queries, keys, width, value_width;
    double scale;
    bool causal;
    Mask mask;
};

template <class T> struct AttentionKernels {
    // lse (batch, heads, queries): the logarithm of each row's sum of exponentials; infinity where no key is seen.
    void (*forward)(const AttentionShape& s, Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, T* lse);
    void (*backward)(const AttentionShape& s, Heads<const T> grad, Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> out,
                     const T* lse, Heads<T> by_q, Heads<T> by_k, Heads<T> by_v);
};

}  // namespace dovetail
