// Batch norm on (N, C, L), layer norm on (rows, width) and group norm on (rows, channels, L), with their gradients.
#pragma once

namespace dovetail {

template <class T> struct NormKernels {
    // weight and bias may be null; mean and var are written (the biased variance).
    void (*batch)(long n, long c, long l, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* var);
    // by_input may be null: then only the sums are wanted.
    void (*batch_grad)(long n, long c, long l, const T* g, const T* x, const T* weight, const T* mean, const T* var, T eps, T* by_input,
                       T* by_weight, T* by_bias);
    // out = x * scale + shift, a value for each channel.
    void (*scale_shift)(long n, long c, long l, const T* x, const T* scale, const T* shift, T* out);
    // mean may be null: then it counts as zero (RMS norm). rstd = 1 / sqrt(var + eps), one for each row.
    void (*layer)(long rows, long width, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* rstd);
    // by_input, by_weight and by_bias may each be null.
    void (*layer_grad)(long rows, long width, const T* g, const T* x, const T* weight, const T* mean, const T* rstd, T* by_input,
                       T* by_weight, T* by_bias);
    // Rows of `per` channels of `l` elements; weight and bias, which may be null, have a value for each channel of `groups` rows in turn.
    void (*group)(long rows, long groups, long per, long l, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* rstd);
    // by_input, by_weight and by_bias may each be null.
    void (*group_grad)(long rows, long groups, long per, long l, const T* g, const T* x, const T* weight, const T* mean, const T* rstd,
                       T* by_input, T* by_weight, T* by_bias);
};

}  // namespace dovetail
