// One direction of an LSTM or GRU layer through time, (T, N, ·), without ragged lengths.
#pragma once

namespace dovetail {

struct RecurrentShape {
    long steps, n, hidden;
    bool reverse;
    // The place of step i in time, and of the one before it (-1: the first state).
    long at(long i) const { return reverse ? steps - 1 - i : i; }
};

// (T, N, size) as it lies: of each step and row a run of memory. Where p is null there is none.
template <class T> struct Sequence {
    const T* p;
    long size, step, row;
    const T* at(long t, long r) const { return p + t * step + r * row; }
};

// What a layer was given and has made, for its way back: x, the first states, the weights and the outputs (T, N, H).
template <class T> struct RecurrentLayer {
    Sequence<T> x;
    const T *h0, *c0, *w_ih, *w_hh, *out;
};

// Where the gradients go; null: not wanted. Those by the first states always are, that of a GRU's cell excepted.
template <class T> struct RecurrentGrads {
    T *x, *h0, *c0, *w_ih, *w_hh, *b_ih, *b_hh;
};

template <class T> struct RecurrentKernels {
    // gates (T, N, 4H) become the activations i, f, g, o. bias is that of both sides together, and may be null.
    void (*lstm)(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* bias, T* gates, T* out, T* cells);
    // by_out, by_h and by_c may be null.
    void (*lstm_grad)(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* gates, const T* cells, const Sequence<T>& by_out,
                      const T* by_h, const T* by_c, const RecurrentGrads<T>& to);
    // gates (T, N, 3H): r, z, n; inner (T, N, H): the state's share of n before r. The biases may be null.
    void (*gru)(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* b_ih, const T* b_hh, T* gates, T* out, T* inner);
    void (*gru_grad)(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* gates, const T* inner, const Sequence<T>& by_out,
                     const T* by_h, const RecurrentGrads<T>& to);
};

}  // namespace dovetail
