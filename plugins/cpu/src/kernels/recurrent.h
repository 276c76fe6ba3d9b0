// One direction of an LSTM or GRU layer through time, (T, N, ·), without ragged lengths.
#pragma once

namespace dovetail {

struct RecurrentShape {
    long steps, n, hidden;
    bool reverse;
    // The place of step i in time, and of the one before it (-1: the first state).
    long at(long i) const { return reverse ? steps - 1 - i : i; }
};

template <class T> struct RecurrentKernels {
    // gates (T, N, 4H) hold what comes from the input and become the activations i, f, g, o.
    void (*lstm)(const RecurrentShape& s, T* gates, const T* w_hh, const T* h0, const T* c0, T* out, T* cells);
    // by_out, by_h and by_c may be null. sums (T, N, 4H): the gradient by the gates before their activations.
    void (*lstm_grad)(const RecurrentShape& s, const T* by_out, const T* by_h, const T* by_c, const T* gates, const T* cells, const T* c0,
                      const T* w_hh, T* sums, T* by_h0, T* by_c0);
    // gates (T, N, 3H): r, z, n; inner (T, N, H): the state's share of n before r. b_hh may be null.
    void (*gru)(const RecurrentShape& s, T* gates, const T* w_hh, const T* b_hh, const T* h0, T* out, T* inner);
    // sums and own (T, N, 3H): the gradients by what comes from the input and from the state.
    void (*gru_grad)(const RecurrentShape& s, const T* by_out, const T* by_h, const T* gates, const T* inner, const T* out, const T* h0,
                     const T* w_hh, T* sums, T* own, T* by_h0);
};

}  // namespace dovetail
