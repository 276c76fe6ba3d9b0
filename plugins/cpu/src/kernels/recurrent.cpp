// LSTM and GRU through time. Each thread takes some rows of the batch through all steps, so that threads never wait for each other
// in between; the weights of the state are packed once.
#include "recurrent.h"

#include "../math.h"
#include "../pool.h"
#include "table.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

// The batch in parts for the threads: not so small that the products of a part are thin.
long parts_of(long n, long hidden) { return std::clamp(n * hidden / 256, 1L, std::min<long>(threads(), std::max(1L, n / 4))); }

template <class T> void lstm(const RecurrentShape& s, T* gates, const T* w_hh, const T* h0, const T* c0, T* out, T* cells) {
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h, parts = parts_of(s.n, h);
    T* weights = scratch<T>(SLOT_B, panels_size<T>(h, wide));
    pack(Matrix<T>{w_hh, 1, h}, h, wide, weights, 0, panels_of<T>(wide));
    parallel(parts, [&](long part_of, int) {
        const long first = s.n * part_of / parts, rows = s.n * (part_of + 1) / parts - first;
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* h_before = (i ? out + s.at(i - 1) * plane : h0) + first * h;
            const T* c_before = (i ? cells + s.at(i - 1) * plane : c0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *c = cells + t * plane + first * h;
            block(rows, wide, h, Matrix<T>{h_before, h, 1}, Panels<T>{weights, N, N * h}, a, wide, true);
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
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h, parts = parts_of(s.n, h);
    T* weights = scratch<T>(SLOT_B, panels_size<T>(wide, h));
    pack(Matrix<T>{w_hh, h, 1}, wide, h, weights, 0, panels_of<T>(h));
    for (int k = 0; k < 2; k++) {
        const T* from = k ? by_c : by_h;
        T* to = k ? by_c0 : by_h0;
        if (from) std::memcpy(to, from, sizeof(T) * size_t(plane));
        else std::memset(to, 0, sizeof(T) * size_t(plane));
    }
    parallel(parts, [&](long part_of, int) {
        const long first = s.n * part_of / parts, rows = s.n * (part_of + 1) / parts - first;
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
            block(rows, h, wide, Matrix<T>{begin, wide, 1}, Panels<T>{weights, N, N * wide}, dh, h, false);
        }
    });
}

template <class T> void gru(const RecurrentShape& s, T* gates, const T* w_hh, const T* b_hh, const T* h0, T* out, T* inner) {
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h, parts = parts_of(s.n, h);
    T* weights = scratch<T>(SLOT_B, panels_size<T>(h, wide));
    pack(Matrix<T>{w_hh, 1, h}, h, wide, weights, 0, panels_of<T>(wide));
    parallel(parts, [&](long part_of, int) {
        const long first = s.n * part_of / parts, rows = s.n * (part_of + 1) / parts - first;
        T* share = scratch<T>(SLOT_1, rows * wide);
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* before = (i ? out + s.at(i - 1) * plane : h0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *kept = inner + t * plane + first * h;
            block(rows, wide, h, Matrix<T>{before, h, 1}, Panels<T>{weights, N, N * h}, share, wide, false);
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
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h, parts = parts_of(s.n, h);
    T* weights = scratch<T>(SLOT_B, panels_size<T>(wide, h));
    pack(Matrix<T>{w_hh, h, 1}, wide, h, weights, 0, panels_of<T>(h));
    if (by_h) std::memcpy(by_h0, by_h, sizeof(T) * size_t(plane));
    else std::memset(by_h0, 0, sizeof(T) * size_t(plane));
    parallel(parts, [&](long part_of, int) {
        const long first = s.n * part_of / parts, rows = s.n * (part_of + 1) / parts - first;
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
            block(rows, h, wide, Matrix<T>{own + line, wide, 1}, Panels<T>{weights, N, N * wide}, dh, h, true);
        }
    });
}

}  // namespace

template <> RecurrentKernels<float> recurrent_kernels<float>() { return {lstm<float>, lstm_grad<float>, gru<float>, gru_grad<float>}; }
template <> RecurrentKernels<double> recurrent_kernels<double>() {
    return {lstm<double>, lstm_grad<double>, gru<double>, gru_grad<double>};
}

}  // namespace dovetail::ISA
