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
// One number for each score: element (b, h, i, j) of an array with these steps; p null: none.
template <class T> struct PerScore {
    const T* p;
    long batch, head, row, column;
    const T* at(long b, long h, long i) const { return p + b * batch + h * head + i * row; }
};

template <> struct PerScore<void> {
    const void* p;
    long batch, head, row, column;
    template <class T> PerScore<T> of() const { return {static_cast<const T*>(p), batch, head, row, column}; }
};

struct AttentionShape {
    long batch, heads, queries, keys, width, value_width;
    double scale;
    bool causal;
    PerScore<uint8_t> mask, kept;  // which keys a query may see; what dropout keeps of the weights, with the probability `keep`
    double keep;
    PerScore<void> bias;  // of the scores' type, counted in its elements
};

template <class T> struct AttentionKernels {
    // lse (batch, heads, queries): the logarithm of each row's sum of exponentials; infinity where no key is seen.
    void (*forward)(const AttentionShape& s, Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, T* lse);
    void (*backward)(const AttentionShape& s, Heads<const T> grad, Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<const T> out,
                     const T* lse, Heads<T> by_q, Heads<T> by_k, Heads<T> by_v);
};

}  // namespace dovetail
