// LSTM and GRU through time. Each thread takes some rows of the batch through all steps, so that threads never wait for each other
// in between; weights are packed once.
#include "recurrent.h"

#include "../math.h"
#include "table.h"
#include "through_time.h"

namespace dovetail::ISA {
namespace {

// What comes from the input, of all steps in one product.
template <class T> void project(const RecurrentShape& s, const Sequence<T>& x, const T* w_ih, long wide, T* gates) {
    const Matrix<T> turned{w_ih, 1, x.size};
    if (s.steps == 1 || x.step == s.n * x.row) {
        product<T>(s.steps * s.n, wide, x.size, Matrix<T>{x.p, x.row, 1}, turned, gates, wide, false, {});
        return;
    }
    const Temporary<T> straight(s.steps * s.n * x.size);
    parallel_range(s.steps * s.n, std::max(1L, 16384 / x.size), [&](long first, long last) {
        for (long i = first; i < last; i++) std::memcpy(straight + i * x.size, x.at(i / s.n, i % s.n), sizeof(T) * size_t(x.size));
    });
    product<T>(s.steps * s.n, wide, x.size, Matrix<T>{straight, x.size, 1}, turned, gates, wide, false, {});
}

// The gradient by a last state, where there is one, is where the way back begins.
template <class T> void begin_with(const T* from, T* to, long n) {
    if (from) std::memcpy(to, from, sizeof(T) * size_t(n));
    else std::memset(to, 0, sizeof(T) * size_t(n));
}

template <class T> void lstm(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* bias, T* gates, T* out, T* cells) {
    constexpr long W = WIDTH<T>;
    const Sequence<T>& x = layer.x;
    const T *h0 = layer.h0, *c0 = layer.c0;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h;
    const bool one = all_on_the_way<T>(s, x.size, wide);  // product a step, of input and state side by side
    if (!one) project(s, x, layer.w_ih, wide, gates);
    const long width = one ? x.size : 0, line = width + (h + W - 1) / W * W + W;
    const Weights<T> weights(Matrix<T>{layer.w_ih, 1, x.size}, width, Matrix<T>{layer.w_hh, 1, h}, h, wide);
    by_rows(s, parts_of(s), [&](long, long first, long rows) {
        const Temporary<T> sides(rows * line);
        T* state = sides + width;
        for (long r = 0; r < rows; r++) std::memcpy(state + r * line, h0 + (first + r) * h, sizeof(T) * size_t(h));
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* c_before = (i ? cells + s.at(i - 1) * plane : c0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *c = cells + t * plane + first * h;
            for (long r = 0; r < rows && width; r++) std::memcpy(sides + r * line, x.at(t, first + r), sizeof(T) * size_t(width));
            weights.times(rows, sides, line, a, wide, !one);
            for (long r = 0; r < rows; r++, a += wide)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    auto before = [&](int k) {
                        const Vec<T> v = part(a + k * h + j, some);
                        return bias ? v + part(bias + k * h + j, some) : v;
                    };
                    const Vec<T> in = gate<T>(before(0)), keep = gate<T>(before(1)), value = tanh<T>(before(2)), show = gate<T>(before(3));
                    const Vec<T> cell = keep * part(c_before + at, some) + in * value, shown = show * tanh<T>(cell);
                    put(a + j, in, some), put(a + h + j, keep, some), put(a + 2 * h + j, value, some), put(a + 3 * h + j, show, some);
                    put(c + at, cell, some), put(y + at, shown, some), put(state + r * line + j, shown, some);
                }
        }
    });
}

template <class T>
void gru(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* b_ih, const T* b_hh, T* gates, T* out, T* inner) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h;
    const Weights<T> weights({}, 0, Matrix<T>{layer.w_hh, 1, h}, h, wide);
    project(s, layer.x, layer.w_ih, wide, gates);
    by_rows(s, parts_of(s), [&](long, long first, long rows) {
        const Temporary<T> share(rows * wide);
        for (long i = 0; i < s.steps; i++) {
            const long t = s.at(i);
            const T* before = (i ? out + s.at(i - 1) * plane : layer.h0) + first * h;
            T *a = gates + (t * s.n + first) * wide, *y = out + t * plane + first * h, *kept = inner + t * plane + first * h;
            weights.times(rows, before, h, share, wide, false);
            for (long r = 0; r < rows; r++, a += wide)
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    auto sum = [&](const T* from, const T* bias, int k) {
                        const Vec<T> v = part(from + k * h + j, some);
                        return bias ? v + part(bias + k * h + j, some) : v;
                    };
                    auto input = [&](int k) { return sum(a, b_ih, k); };
                    auto state = [&](int k) { return sum(share + r * wide, b_hh, k); };
                    const Vec<T> reset = gate<T>(input(0) + state(0)), keep = gate<T>(input(1) + state(1));
                    const Vec<T> own = state(2), value = tanh<T>(input(2) + reset * own);
                    put(a + j, reset, some), put(a + h + j, keep, some), put(a + 2 * h + j, value, some), put(kept + at, own, some);
                    put(y + at, (part(before + at, some) - value) * keep + value, some);
                }
        }
    });
}

template <class T> void lstm_grad(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* gates, const T* cells,
                                  const Sequence<T>& by_out, const T* by_h, const T* by_c, const RecurrentGrads<T>& to) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 4 * h, plane = s.n * h;
    begin_with(by_h, to.h0, plane), begin_with(by_c, to.c0, plane);
    const Back<T> back(s, layer, to, wide, false);
    by_rows(s, back.parts, [&](long number, long first, long rows) {
        Part<T> mine(back, number, first, rows);
        T *dh = to.h0 + first * h, *dc = to.c0 + first * h;
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i);
            const T* c_before = (i ? cells + s.at(i - 1) * plane : layer.c0) + first * h;
            const T *c = cells + t * plane + first * h, *a = gates + (t * s.n + first) * wide;
            T* d = mine.sums(i);
            for (long r = 0; r < rows; r++, a += wide, d += mine.line) {
                const T* dy = by_out.p ? by_out.at(t, first + r) : nullptr;
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    const Vec<T> in = part(a + j, some), keep = part(a + h + j, some), value = part(a + 2 * h + j, some),
                                 show = part(a + 3 * h + j, some), soft = tanh<T>(part(c + at, some));
                    Vec<T> g = part(dh + at, some);
                    if (dy) g += part(dy + j, some);
                    const Vec<T> total = part(dc + at, some) + g * show * (T(1) - soft * soft);
                    put(d + j, total * value * in * (T(1) - in), some);
                    put(d + h + j, total * part(c_before + at, some) * keep * (T(1) - keep), some);
                    put(d + 2 * h + j, total * in * (T(1) - value * value), some);
                    put(d + 3 * h + j, g * soft * show * (T(1) - show), some);
                    put(dc + at, total * keep, some);
                }
            }
            mine.step(i, dh, false);
        }
    });
    back.finish();
}

template <class T> void gru_grad(const RecurrentShape& s, const RecurrentLayer<T>& layer, const T* gates, const T* inner,
                                 const Sequence<T>& by_out, const T* by_h, const RecurrentGrads<T>& to) {
    constexpr long W = WIDTH<T>;
    const long h = s.hidden, wide = 3 * h, plane = s.n * h;
    begin_with(by_h, to.h0, plane);
    const Back<T> back(s, layer, to, wide, true);
    by_rows(s, back.parts, [&](long number, long first, long rows) {
        Part<T> mine(back, number, first, rows);
        T* dh = to.h0 + first * h;
        for (long i = s.steps - 1; i >= 0; i--) {
            const long t = s.at(i);
            const T *a = gates + (t * s.n + first) * wide, *before = back.state(i) + first * h;
            const T* kept = inner + t * plane + first * h;
            T *d = mine.sums(i), *e = mine.own(i);
            for (long r = 0; r < rows; r++, a += wide, d += mine.line, e += mine.line) {
                const T* dy = by_out.p ? by_out.at(t, first + r) : nullptr;
                for (long j = 0; j < h; j += W) {
                    const long some = std::min(W, h - j), at = r * h + j;
                    const Vec<T> reset = part(a + j, some), keep = part(a + h + j, some), value = part(a + 2 * h + j, some);
                    Vec<T> g = part(dh + at, some);
                    if (dy) g += part(dy + j, some);
                    const Vec<T> by_value = g * (T(1) - keep) * (T(1) - value * value);
                    const Vec<T> by_reset = by_value * part(kept + at, some) * reset * (T(1) - reset);
                    const Vec<T> by_keep = g * (part(before + at, some) - value) * keep * (T(1) - keep);
                    for (T* go : {d, e}) put(go + j, by_reset, some), put(go + h + j, by_keep, some);
                    put(d + 2 * h + j, by_value, some), put(e + 2 * h + j, by_value * reset, some);
                    put(dh + at, g * keep, some);
                }
            }
            mine.step(i, dh, true);
        }
    });
    back.finish();
}

}  // namespace

template <> RecurrentKernels<float> recurrent_kernels<float>() { return {lstm<float>, lstm_grad<float>, gru<float>, gru_grad<float>}; }
template <> RecurrentKernels<double> recurrent_kernels<double>() {
    return {lstm<double>, lstm_grad<double>, gru<double>, gru_grad<double>};
}

}  // namespace dovetail::ISA
