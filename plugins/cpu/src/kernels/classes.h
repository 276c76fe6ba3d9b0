// Softmax along the last dimension and cross-entropy of rows of logits.
#pragma once
#include <cstdint>

namespace dovetail {

template <class T> struct ClassesKernels {
    void (*softmax)(long rows, long width, const T* x, T* out);
    void (*softmax_grad)(long rows, long width, const T* g, const T* y, T* out);
    void (*log_softmax)(long rows, long width, const T* x, T* out);
    void (*log_softmax_grad)(long rows, long width, const T* g, const T* y, T* out);
    // log Σ exp(x) of each row; an infinite greatest element is the answer.
    void (*log_sum)(long rows, long width, const T* x, T* out);
    // out = exp(logp) * scale[row], and less scale[row] at the row's label: the gradient of cross-entropy. A label below 0: zeros.
    void (*cross_entropy_grad)(long rows, long width, const T* logp, const int64_t* label, const T* scale, T* out);
};

}  // namespace dovetail
