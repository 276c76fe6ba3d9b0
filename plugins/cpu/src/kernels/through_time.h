// What LSTM and GRU share on their way through time and back: weights packed once, and the gradients of weights.
#pragma once
#include <array>
#include <cstring>

#include "../allocator.h"
#include "../pool.h"
#include "../vec.h"
#include "recurrent.h"
#include "tile.h"

namespace dovetail::ISA {

constexpr long DEPTH = 256;   // of a sum at a time: a panel of the weights then fits the first cache
constexpr long CHUNK = 128;   // rows of all steps that a thread collects for the gradients of weights
constexpr long PACKED = 512;  // and rows that are packed for them at a time, where one product is for all threads

// In how many parts the batch goes through time, a thread each: not so small that the products of a part are thin.
inline long parts_of(const RecurrentShape& s) {
    return std::clamp(s.n * s.hidden / 256, 1L, std::min<long>(threads(), std::max(1L, s.n / 4)));
}
// Call f(part, first, rows) for each.
template <class F> void by_rows(const RecurrentShape& s, long parts, F&& f) {
    parallel(parts, [&](long i, int) {
        const long first = s.n * i / parts;
        f(i, first, s.n * (i + 1) / parts - first);
    });
}

// Whether each thread does on its way all that its rows need: what comes from the input, and the gradients of weights. Thin products
// and weights that its cache does not keep are better off with one product for all steps.
template <class T> bool all_on_the_way(const RecurrentShape& s, long width, long wide) {
    return s.n >= 4 * std::max(4, threads()) && (width + s.hidden) * wide * long(sizeof(T)) <= 1L << 20;
}

// `rows` of a matrix as rows `at`… of panel q, the panels being `depth` rows long.
template <class T> void pack_into(const Matrix<T>& m, long rows, long columns, T* to, long at, long depth, long q) {
    constexpr long N = TILE_COLUMNS<T>;
    pack<T>(m, rows, columns, to + at * N + q * N * (depth - rows), q, q + 1);
}

// Weights packed for all steps: those of the input, if they are given, above those of the state.
template <class T> class Weights {
    long columns, depth;
    Temporary<T> packed;

  public:
    Weights(const Matrix<T>& w_ih, long width, const Matrix<T>& w_hh, long hidden, long wide)
        : columns(wide), depth(width + hidden), packed(std::max(1L, panels_size<T>(depth, wide))) {
        parallel(depth ? panels_of<T>(wide) : 0, [&](long q, int) {
            if (width) pack_into<T>(w_ih, width, wide, packed, 0, depth, q);
            pack_into<T>(w_hh, hidden, wide, packed, width, depth, q);
        });
    }
    // C = A W, or C += A W, for a few rows of A.
    void times(long rows, const T* a, long lda, T* c, long ldc, bool add) const {
        constexpr long N = TILE_COLUMNS<T>;
        for (long p = 0; p < depth; p += DEPTH)
            block(rows, columns, std::min(DEPTH, depth - p), Matrix<T>{a + p, lda, 1}, Panels<T>{packed + p * N, N, N * depth}, c, ldc,
                  add || p > 0);
    }
};

// Parts of a product side by side, and the two matrices that its finished columns belong to.
template <class T> struct Apart {
    const T* from;
    long line;
    struct {
        T* to;
        long begin, columns;
    } parts[2];
    static void run(const void* what, long row, long column, long height, long width) {
        const Apart& m = *static_cast<const Apart*>(what);
        for (const auto& [to, begin, columns] : m.parts) {
            const long first = std::max(begin, column), last = std::min(begin + columns, column + width);
            for (long i = row; i < row + height && to && first < last; i++)
                std::memcpy(to + i * columns + first - begin, m.from + i * m.line + first, sizeof(T) * size_t(last - first));
        }
    }
};

// Σ over steps and rows of grads (T, N, wide) ⊗ (x, state before), and of grads alone. The second factors are packed for some
// steps at a time, x in panels of its own.
template <class T> void by_both(const RecurrentShape& s, long wide, const T* grads, const Sequence<T>& x, const T* h0, const T* out,
                                T* by_w_ih, T* by_w_hh, std::array<T*, 2> by_bias) {
    constexpr long N = TILE_COLUMNS<T>;
    const long h = s.hidden, left = by_w_ih ? panels_of<T>(x.size) : 0;
    const long panels = left + (by_w_hh || !left ? panels_of<T>(h) : 0), line = panels * N;
    const long many = std::clamp(PACKED / s.n, 1L, s.steps);
    if (!by_w_ih && !by_w_hh && !by_bias[0] && !by_bias[1]) return;
    const Temporary<T> packed(many * s.n * line), whole(wide * line);
    const Temporary<double> bias(wide);
    std::fill_n(bias + 0, wide, 0.0);
    const Apart<T> apart{whole, line, {{by_w_ih, 0, x.size}, {by_w_hh, left * N, h}}};
    for (long begin = 0; begin < s.steps; begin += many) {
        const long end = std::min(s.steps, begin + many), depth = (end - begin) * s.n;
        parallel_range(end - begin, std::max(1L, 16384 / (s.n * line)), [&](long first, long last) {
            for (long t = begin + first; t < begin + last; t++) {
                const long i = s.at(t);  // turned twice, time is as it was
                const T* state = i ? out + s.at(i - 1) * s.n * h : h0;
                for (long q = 0; q < panels; q++)
                    if (q < left) pack_into<T>({x.at(t, 0), x.row, 1}, s.n, x.size, packed, (t - begin) * s.n, depth, q);
                    else pack_into<T>({state, h, 1}, s.n, h, packed + left * N * depth, (t - begin) * s.n, depth, q - left);
            }
        });
        Finish<T> finish;
        finish.row_sums = bias;
        if (end == s.steps) finish.after = {Apart<T>::run, &apart};
        product<T>(wide, line, depth, Matrix<T>{grads + begin * s.n * wide, 1, wide}, Panels<T>{packed, N, N * depth}, whole, line,
                   begin > 0, finish);
    }
    for (T* to : by_bias)
        if (to) std::copy_n(bias + 0, wide, to);
}

// The way back of a layer: what its threads share, and what is done when all have finished.
template <class T> struct Back {
    const RecurrentShape& s;
    const RecurrentLayer<T>& layer;
    const RecurrentGrads<T>& to;
    const long wide;
    const bool two;    // gradients by what comes from the state are others than those by what comes from the input: GRU
    const long parts;  // of the batch, asked for once: another thread may set the number of threads meanwhile
    const bool together;
    const long left, line;  // columns of a thread's gradients of weights: those of w_ih, and of both, in whole panels
    const Weights<T> w_hh, w_ih;
    const Temporary<T> sums, own, whole;  // gradients by the gates, of all steps; gradients of weights, of each part of the batch
    const Temporary<double> bias;

    Back(const RecurrentShape& s, const RecurrentLayer<T>& layer, const RecurrentGrads<T>& to, long wide, bool two)
        : s(s),
          layer(layer),
          to(to),
          wide(wide),
          two(two),
          parts(parts_of(s)),
          together(all_on_the_way<T>(s, layer.x.size, wide)),
          left(panels_of<T>(layer.x.size) * TILE_COLUMNS<T>),
          line(left + panels_of<T>(s.hidden) * TILE_COLUMNS<T>),
          w_hh({}, 0, Matrix<T>{layer.w_hh, s.hidden, 1}, wide, s.hidden),
          w_ih({}, 0, Matrix<T>{layer.w_ih, layer.x.size, 1}, together && to.x ? wide : 0, layer.x.size),
          sums(together ? 1 : s.steps * s.n * wide),
          own(together || !two ? 1 : s.steps * s.n * wide),
          whole(together ? parts * wide * line : 1),
          bias(parts * 2 * wide) {
        std::fill_n(bias + 0, parts * 2 * wide, 0.0);
    }

    // The state before step i.
    const T* state(long i) const { return i ? layer.out + s.at(i - 1) * s.n * s.hidden : layer.h0; }

    void finish() const {
        if (!together) return at_once();
        const long h = s.hidden, width = layer.x.size;
        parallel_range(wide, std::max(1L, 16384 / (line * parts)), [&](long first, long last) {
            for (long i = first; i < last; i++) {
                if (to.w_ih) total(whole + i * line, width, to.w_ih + i * width);
                if (to.w_hh) total(whole + i * line + left, h, to.w_hh + i * h);
            }
        });
        for (long part = 1; part < parts; part++)
            for (long i = 0; i < 2 * wide; i++) bias[i] += bias[part * 2 * wide + i];
        if (to.b_ih) std::copy_n(bias + 0, wide, to.b_ih);
        if (to.b_hh) std::copy_n(bias + (two ? wide : 0), wide, to.b_hh);
    }

  private:
    // The sum of a row of all parts.
    void total(const T* from, long n, T* sum) const {
        constexpr long W = WIDTH<T>;
        for (long j = 0; j < n; j += W) {
            const long some = std::min(W, n - j);
            Vec<T> v = part(from + j, some);
            for (long p = 1; p < parts; p++) v += part(from + p * wide * line + j, some);
            put(sum + j, v, some);
        }
    }
    // All gradients from those by the gates of all steps.
    void at_once() const {
        const long width = layer.x.size;
        if (to.x) product<T>(s.steps * s.n, width, wide, Matrix<T>{sums, wide, 1}, Matrix<T>{layer.w_ih, width, 1}, to.x, width, false, {});
        T* const none = nullptr;
        if (!two) return by_both<T>(s, wide, sums, layer.x, layer.h0, layer.out, to.w_ih, to.w_hh, {to.b_ih, to.b_hh});
        by_both<T>(s, wide, sums, layer.x, layer.h0, layer.out, to.w_ih, none, {to.b_ih, none});
        by_both<T>(s, wide, own, layer.x, layer.h0, layer.out, none, to.w_hh, {to.b_hh, none});
    }
};

// The part of the batch that a thread takes back through time. It collects the gradients by the gates of some steps, and then adds to
// its own gradients of weights while all is in its cache.
template <class T> class Part {
    const Back<T>& back;
    const long part, first, rows, many;
    const Temporary<T> collected, packed;
    long count = 0;  // steps collected
    bool add = false;

    // The gradients of this step, the second kind behind the first.
    T* place(bool second, long i) const {
        const bool apart = second && back.two;
        if (!back.together) return (apart ? back.own : back.sums) + (back.s.at(i) * back.s.n + first) * back.wide;
        return collected + ((apart ? many : 0) + count) * rows * line;
    }

    void add_to_weights(long i) {
        constexpr long N = TILE_COLUMNS<T>;
        const RecurrentShape& s = back.s;
        const Sequence<T>& input = back.layer.x;
        const long wide = back.wide, left = back.left, right = back.line - left, depth = count * rows;
        for (long c = 0; c < count; c++) {
            const long before = i + count - 1 - c;
            const Matrix<T> x{input.at(s.at(before), first), input.row, 1}, state{back.state(before) + first * s.hidden, s.hidden, 1};
            for (long q = 0; q < left / N; q++) pack_into<T>(x, rows, input.size, packed, c * rows, depth, q);
            for (long q = 0; q < right / N; q++) pack_into<T>(state, rows, s.hidden, packed + left * depth, c * rows, depth, q);
        }
        count = 0;  // so that place() is where they begin
        T* mine = back.whole + part * wide * back.line;
        for (long p = 0; p < depth; p += DEPTH) {
            const long deep = std::min(DEPTH, depth - p);
            const T* const from = packed + p * N;
            auto add_product = [&](bool second, long columns, const T* panels, T* to) {
                block(wide, columns, deep, Matrix<T>{place(second, i) + p * line, 1, line}, Panels<T>{panels, N, N * depth}, to, back.line,
                      add || p > 0);
            };
            if (back.to.w_ih) add_product(false, left, from, mine);
            if (back.to.w_hh) add_product(true, right, from + left * depth, mine + left);
        }
        for (int k = 0; k < (back.two ? 2 : 1); k++) add_columns(depth, place(k, i), back.bias + (part * 2 + k) * wide);
        add = true;
    }
    // Sums over rows, in four at a time, added to those before.
    void add_columns(long depth, const T* from, double* to) const {
        constexpr long W = WIDTH<T>;
        for (long j = 0; j < back.wide; j += W) {
            const long some = std::min(W, back.wide - j);
            Vec<T> acc[4] = {};
            long p = 0;
            for (; p + 4 <= depth; p += 4)
#pragma GCC unroll 4
                for (long u = 0; u < 4; u++) acc[u] += ISA::part(from + (p + u) * line + j, some);
            for (; p < depth; p++) acc[0] += ISA::part(from + p * line + j, some);
            const Vec<T> all = (acc[0] + acc[1]) + (acc[2] + acc[3]);
            for (long u = 0; u < some; u++) to[j + u] += double(all[u]);
        }
    }

  public:
    const long line;  // from one row of gradients to the next: no power of two where that is free

    Part(const Back<T>& back, long part, long first, long rows)
        : back(back),
          part(part),
          first(first),
          rows(rows),
          many(std::clamp(CHUNK / rows, 1L, back.s.steps)),
          collected(back.together ? (back.two ? 2 : 1) * many * rows * (back.wide + 16) : 1),
          packed(back.together ? many * rows * back.line : 1),
          line(back.wide + (back.together ? 16 : 0)) {}

    // Where the gradients of step i go: those by what comes from the input, and those by what comes from the state.
    T* sums(long i) const { return place(false, i); }
    T* own(long i) const { return place(true, i); }

    // They are there: the gradient by the state before (added to dh or not) and what of the others is done on the way.
    void step(long i, T* dh, bool more) {
        back.w_hh.times(rows, own(i), line, dh, back.s.hidden, more);
        if (!back.together) return;
        const long width = back.layer.x.size;
        if (back.to.x) back.w_ih.times(rows, sums(i), line, back.to.x + (back.s.at(i) * back.s.n + first) * width, width, false);
        if (++count == many || i == 0) add_to_weights(i);
    }
};

}  // namespace dovetail::ISA
