// LSTM and GRU through time. Each thread takes some rows of the batch through all steps, so that threads never wait for each other
// in between; the weights of the state are packed once.
#include "recurrent.h"

#include "../allocator.h"
#include "../math.h"
#include "../pool.h"
#include "table.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

// Call f(first, rows) for parts of the batch, a thread each: not so small that the products of a part are thin.
template <class F> void by_rows(const RecurrentShape& s, F&& f) {
    const long parts = std::clamp(s.n * s.hidden / 256, 1L, std::min<long>(threads(), std::max(1L, s.n / 4)));
    parallel(parts, [&](long i, int) {
        const long first = s.n * i / parts;
        f(first, s.n * (i + 1) / parts - first);
    });
}

// The weights of the state (wide, hidden), packed once for all steps: turned on the way forward, as they lie on the way back.
template <class T> struct StateWeights {
    Temporary<T> packed;
    long depth;
    StateWeights(const T* w_hh, long wide, long hidden, bool back)
        : packed(panels_size<T>(back ? wide : hidden, back ? hidden : wide)), depth(back ? wide : hidden) {
        const long columns = back ? hidden : wide;
        const Matrix<T> m = back ? Matrix<T>{w_hh, hidden, 1} : Matrix<T>{w_hh, 1, hidden};
        pack<T>(m, depth, columns, packed, 0, panels_of<T>(columns));
    }
    Panels<T> panels() const { return {packed, TILE_COLUMNS<T>, TILE_COLUMNS<T> * depth}; }
};

// The gradient by a last state, where there is one, is where the way back begins.
template <class T> void begin_with(const T* from, T* to, long n) {
    if (from) std::memcpy(to, from, sizeof(T) * size_t(n));
    else std::memset(to, 0, sizeof(T) * size_t(n));
}

template <class T> void lstm(const RecurrentShape& s, T* gates, const T* w_hh, const T* h0, const T* c0, T* out, T* cells) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h;
    const StateWeights<T> weights(w_hh, wide, h, false);
    by_rows(s, [&](long first, long rows) {
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* h_before = (i ? out + s.at(i - 1) * plane : h0) + first * h;
            const T* c_before = (i ? cells + s.at(i - 1) * plane : c0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *c = cells + t * plane + first * h;
            block(rows, wide, h, Matrix<T>{h_before, h, 1}, weights.panels(), a, wide, true);
            for (long r = 0; r < rows; r++, a += wide)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    const Vec<T> in = sigmoid<T>(part(a + j, some)), keep = sigmoid<T>(part(a + h + j, some));
                    const Vec<T> value = tanh<T>(part(a + 2 * h + j, some)), show = sigmoid<T>(part(a + 3 * h + j, some));
                    const Vec<T> cell = keep * part(c_before + at, some) + in * value;
                    put(a + j, in, some), put(a + h + j, keep, some), put(a + 2 * h + j, value, some), put(a + 3 * h + j, show, some);
                    put(c + at, cell, some), put(y + at, show * tanh<T>(cell), some);
                }
        }
    });
}

template <class T> void lstm_grad(const RecurrentShape& s, const T* by_out, const T* by_h, const T* by_c, const T* gates, const T* cells,
                                  const T* c0, const T* w_hh, T* sums, T* by_h0, T* by_c0) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h;
    const StateWeights<T> weights(w_hh, wide, h, true);
    begin_with(by_h, by_h0, plane), begin_with(by_c, by_c0, plane);
    by_rows(s, [&](long first, long rows) {
        T *dh = by_h0 + first * h, *dc = by_c0 + first * h;
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i);
            const T* c_before = (i ? cells + s.at(i - 1) * plane : c0) + first * h;
            const T *c = cells + t * plane + first * h, *dy = by_out ? by_out + t * plane + first * h : nullptr;
            const T* a = gates + (t * s.n + first) * wide;
            T *d = sums + (t * s.n + first) * wide, *begin = d;
            for (long r = 0; r < rows; r++, a += wide, d += wide)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    const Vec<T> in = part(a + j, some), keep = part(a + h + j, some), value = part(a + 2 * h + j, some),
                                 show = part(a + 3 * h + j, some), soft = tanh<T>(part(c + at, some));
                    Vec<T> g = part(dh + at, some);
                    if (dy) g += part(dy + at, some);
                    const Vec<T> total = part(dc + at, some) + g * show * (T(1) - soft * soft);
                    put(d + j, total * value * in * (T(1) - in), some);
                    put(d + h + j, total * part(c_before + at, some) * keep * (T(1) - keep), some);
                    put(d + 2 * h + j, total * in * (T(1) - value * value), some);
                    put(d + 3 * h + j, g * soft * show * (T(1) - show), some);
                    put(dc + at, total * keep, some);
                }
            block(rows, h, wide, Matrix<T>{begin, wide, 1}, weights.panels(), dh, h, false);
        }
    });
}

template <class T> void gru(const RecurrentShape& s, T* gates, const T* w_hh, const T* b_hh, const T* h0, T* out, T* inner) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h;
    const StateWeights<T> weights(w_hh, wide, h, false);
    by_rows(s, [&](long first, long rows) {
        T* share = scratch<T>(SLOT_1, rows * wide);
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* before = (i ? out + s.at(i - 1) * plane : h0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *kept = inner + t * plane + first * h;
            block(rows, wide, h, Matrix<T>{before, h, 1}, weights.panels(), share, wide, false);
            for (long r = 0; r < rows; r++, a += wide)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    auto state = [&](int k) {
                        const Vec<T> v = part(share + r * wide + k * h + j, some);
                        return b_hh ? v + part(b_hh + k * h + j, some) : v;
                    };
                    const Vec<T> reset = sigmoid<T>(part(a + j, some) + state(0)), keep = sigmoid<T>(part(a + h + j, some) + state(1));
                    const Vec<T> own = state(2), value = tanh<T>(part(a + 2 * h + j, some) + reset * own);
                    put(a + j, reset, some), put(a + h + j, keep, some), put(a + 2 * h + j, value, some), put(kept + at, own, some);
                    put(y + at, (part(before + at, some) - value) * keep + value, some);
                }
        }
    });
}

template <class T> void gru_grad(const RecurrentShape& s, const T* by_out, const T* by_h, const T* gates, const T* inner, const T* out,
                                 const T* h0, const T* w_hh, T* sums, T* own, T* by_h0) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h;
    const StateWeights<T> weights(w_hh, wide, h, true);
    begin_with(by_h, by_h0, plane);
    by_rows(s, [&](long first, long rows) {
        T* dh = by_h0 + first * h;
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i), line = (t * s.n + first) * wide, place = t * plane + first * h;
            const T *before = (i ? out + s.at(i - 1) * plane : h0) + first * h, *dy = by_out ? by_out + place : nullptr;
            for (long r = 0; r < rows; r++)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j, wide_at = line + r * wide + j;
                    const Vec<T> reset = part(gates + wide_at, some), keep = part(gates + wide_at + h, some),
                                 value = part(gates + wide_at + 2 * h, some);
                    Vec<T> g = part(dh + at, some);
                    if (dy) g += part(dy + at, some);
                    const Vec<T> by_value = g * (T(1) - keep) * (T(1) - value * value);
                    const Vec<T> by_reset = by_value * part(inner + place + at, some) * reset * (T(1) - reset);
                    const Vec<T> by_keep = g * (part(before + at, some) - value) * keep * (T(1) - keep);
                    for (T* to : {sums, own}) put(to + wide_at, by_reset, some), put(to + wide_at + h, by_keep, some);
                    put(sums + wide_at + 2 * h, by_value, some), put(own + wide_at + 2 * h, by_value * reset, some);
                    put(dh + at, g * keep, some);
                }
            block(rows, h, wide, Matrix<T>{own + line, wide, 1}, weights.panels(), dh, h, true);
        }
    });
}

}  // namespace

template <> RecurrentKernels<float> recurrent_kernels<float>() { return {lstm<float>, lstm_grad<float>, gru<float>, gru_grad<float>}; }
template <> RecurrentKernels<double> recurrent_kernels<double>() {
    return {lstm<double>, lstm_grad<double>, gru<double>, gru_grad<double>};
}

}  // namespace dovetail::ISA
