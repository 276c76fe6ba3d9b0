// Attention. A task takes some queries of a head against all keys that they may see; the scores stay in cache, and the gradient
// computes them again from the sums that the forward kept (Dao et al., FlashAttention, 2022, without its running rescaling).
#include "attention.h"

#include <limits>

#include "../math.h"
#include "../pool.h"
#include "table.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

constexpr long QUERIES = TILE_ROWS * 4;  // at a time

// Panels of a head's rows, as the right factor: TURNED for rows that are summed over their width (kᵀ), else as they lie.
template <class T, bool TURNED> void pack_rows(const T* p, long row, long count, long width, T* to) {
    const Matrix<T> m = TURNED ? Matrix<T>{p, 1, row} : Matrix<T>{p, row, 1};
    const long k = TURNED ? width : count, n = TURNED ? count : width;
    pack(m, k, n, to, 0, panels_of<T>(n));
}

// Products of queries [first, first + rows) with the keys that they may see, at most `seen` of them.
template <class T>
void scores_of(const AttentionShape& s, const T* q, long q_row, const T* keys, long first, long rows, long seen, T* to, long stride) {
    constexpr long N = TILE_COLUMNS<T>;
    block(rows, seen, s.width, Matrix<T>{q + first * q_row, q_row, 1}, Panels<T>{keys, N, N * s.width}, to, stride, false);
}
long seen_by(const AttentionShape& s, long last_query) { return s.causal ? std::min(s.keys, last_query + 1) : s.keys; }

// Of `seen` keys those that query i may see, as far as its place tells.
long own_of(const AttentionShape& s, long i, long seen) { return s.causal ? std::min(seen, i + 1) : seen; }

// f(j) for j below n, each beside its number: side by side in memory as a rule, so that this becomes a loop of vectors.
template <class T, class F> INLINE void beside(const PerScore<T>& x, long b, long h, long i, long n, const F& f) {
    const T* p = x.at(b, h, i);
    if (x.column == 1)
        for (long j = 0; j < n; j++) f(j, p[j]);
    else
        for (long j = 0; j < n; j++) f(j, p[j * x.column]);
}

// By what the products of a row are still to be scaled. With a bias or a mask they are here, and those that the query may not see are
// minus infinity.
template <class T> T scale_of(const AttentionShape& s, long b, long h, long i, long own, T* row) {
    const T scale = T(s.scale), lowest = -std::numeric_limits<T>::infinity();
    if (!s.mask.p && !s.bias.p) return scale;
    if (s.bias.p) beside(s.bias.of<T>(), b, h, i, own, [=](long j, T more) INLINE_LAMBDA { row[j] = row[j] * scale + more; });
    else
        for (long j = 0; j < own; j++) row[j] *= scale;
    if (s.mask.p) beside(s.mask, b, h, i, own, [=](long j, uint8_t may) INLINE_LAMBDA { row[j] = may ? row[j] : lowest; });
    return T(1);
}

// Dropout: the numbers of a row that are not kept become zero, the others are divided by the probability to be kept.
template <class T> void drop(const AttentionShape& s, long b, long h, long i, long own, T* row) {
    const T more = T(1 / s.keep);
    if (s.kept.p) beside(s.kept, b, h, i, own, [=](long j, uint8_t keep) INLINE_LAMBDA { row[j] = row[j] * T(keep) * more; });
}

// exp(scale * row - level) in the place of the `own` first of a row, and zeros behind them up to `seen`; `also` takes each vector and its
// place.
template <class T, class Also> INLINE void exponentials(T* row, long own, long seen, T scale, T level, const Also& also) {
    constexpr long W = WIDTH<T>;
    long j = 0;
    for (; j + W <= own; j += W) {
        const Vec<T> e = exp_of_negative<T>(load(row + j) * scale - level);
        store(row + j, e);
        also(e, j, W);
    }
    if (j < own) {
        const Vec<T> e = first<T>(exp_of_negative<T>(load(row + j, own - j) * scale - level), own - j);
        store(row + j, e, own - j);
        also(e, j, own - j);
    }
    for (j = own; j < seen; j += W) put(row + j, Vec<T>{}, std::min(W, seen - j));
}

// The greatest of a row that is no NaN, scaled; 0 where all are minus infinity.
template <class T> T top_of(const T* row, long own, T scale) {
    constexpr long W = WIDTH<T>;
    const T lowest = -std::numeric_limits<T>::infinity();
    Vec<T> most = splat(lowest);
    long j = 0;
    for (; j + W <= own; j += W) most = top<T>(load(row + j) * scale, most);
    if (j < own) most = top<T>(load(row + j, own - j, row[j]) * scale, most);
    const T result = fold<T>(most, [](T x, T y) { return x > y ? x : y; });
    return result == lowest ? T(0) : result;
}

template <class T> struct Split {
    long parts, per_head;  // tasks in all, and of one head
    Split(const AttentionShape& s) {
        const long heads = s.batch * s.heads, blocks = (s.queries + QUERIES - 1) / QUERIES;
        per_head = std::clamp((2 * threads() + heads - 1) / std::max(heads, 1L), 1L, blocks);
        parts = heads * per_head;
    }
};

template <class T> void forward(const AttentionShape& s, Heads<const T> q, Heads<const T> k, Heads<const T> v, Heads<T> out, T* lse) {
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    const Split<T> split(s);
    parallel(split.parts, [&](long task, int) {
        const long head = task / split.per_head, b = head / s.heads, h = head % s.heads, part_of = task % split.per_head;
        const long q0 = s.queries * part_of / split.per_head, q1 = s.queries * (part_of + 1) / split.per_head,
                   stride = (s.keys + W - 1) / W * W + W;
        T* keys = scratch<T>(SLOT_1, panels_size<T>(s.width, s.keys));
        T* values = scratch<T>(SLOT_2, panels_size<T>(s.keys, s.value_width));
        T* scores = scratch<T>(SLOT_3, QUERIES * stride);
        pack_rows<T, true>(k.at(b, h), k.row, s.keys, s.width, keys);
        pack_rows<T, false>(v.at(b, h), v.row, s.keys, s.value_width, values);
        for (long first = q0; first < q1; first += QUERIES) {
            const long rows = std::min(QUERIES, q1 - first), seen = seen_by(s, first + rows - 1);
            T* to = out.at(b, h) + first * out.row;
            scores_of(s, q.at(b, h), q.row, keys, first, rows, seen, scores, stride);
            T shares[QUERIES];
            for (long i = 0; i < rows; i++) {
                T* row = scores + i * stride;
                const long own = own_of(s, first + i, seen);
                const T scale = scale_of(s, b, h, first + i, own, row), level = top_of(row, own, scale);
                Vec<T> sums{};
                exponentials(row, own, seen, scale, level, [&](Vec<T> e, long, long) INLINE_LAMBDA { sums += e; });
                const T total = sum<T>(sums);
                drop(s, b, h, first + i, own, row);
                shares[i] = total == 0 ? T(0) : T(1) / total;
                lse[(b * s.heads + h) * s.queries + first + i] = total == 0 ? std::numeric_limits<T>::infinity() : level + std::log(total);
            }
            block(rows, s.value_width, seen, Matrix<T>{scores, stride, 1}, Panels<T>{values, N, N * s.keys}, to, out.row, false);
            for (long i = 0; i < rows; i++)
                for (long j = 0; j < s.value_width; j += W) {
                    T* place = to + i * out.row + j;
                    const long some = std::min(W, s.value_width - j);
                    put(place, part(place, some) * shares[i], some);
                }
        }
    });
}

template <class T> void backward(const AttentionShape& s, Heads<const T> grad, Heads<const T> q, Heads<const T> k, Heads<const T> v,
                                 Heads<const T> out, const T* lse, Heads<T> by_q, Heads<T> by_k, Heads<T> by_v) {
    constexpr long W = WIDTH<T>, N = TILE_COLUMNS<T>;
    parallel(s.batch * s.heads, [&](long head, int) {
        const long b = head / s.heads, h = head % s.heads, stride = (s.keys + W - 1) / W * W + W;
        T* keys_turned = scratch<T>(SLOT_1, panels_size<T>(s.width, s.keys));
        T* values_turned = scratch<T>(SLOT_2, panels_size<T>(s.value_width, s.keys));
        T* keys = scratch<T>(SLOT_3, panels_size<T>(s.keys, s.width));
        T* weights = scratch<T>(SLOT_4, 2 * QUERIES * stride);
        T* slopes = weights + QUERIES * stride;
        const long q_size = panels_size<T>(QUERIES, s.width);
        T* some_q = scratch<T>(SLOT_5, q_size + panels_size<T>(QUERIES, s.value_width));
        T* some_g = some_q + q_size;
        const T *qs = q.at(b, h), *gs = grad.at(b, h), *outs = out.at(b, h);
        T *dk = by_k.at(b, h), *dv = by_v.at(b, h), *dq = by_q.at(b, h);
        pack_rows<T, true>(k.at(b, h), k.row, s.keys, s.width, keys_turned);
        pack_rows<T, true>(v.at(b, h), v.row, s.keys, s.value_width, values_turned);
        pack_rows<T, false>(k.at(b, h), k.row, s.keys, s.width, keys);
        for (long j = 0; j < s.keys; j++) {
            std::memset(dk + j * by_k.row, 0, sizeof(T) * size_t(s.width));
            std::memset(dv + j * by_v.row, 0, sizeof(T) * size_t(s.value_width));
        }
        for (long first = 0; first < s.queries; first += QUERIES) {
            const long rows = std::min(QUERIES, s.queries - first), seen = seen_by(s, first + rows - 1);
            scores_of(s, qs, q.row, keys_turned, first, rows, seen, weights, stride);
            block(rows, seen, s.value_width, Matrix<T>{gs + first * grad.row, grad.row, 1}, Panels<T>{values_turned, N, N * s.value_width},
                  slopes, stride, false);
            for (long i = 0; i < rows; i++) {
                T *w = weights + i * stride, *d = slopes + i * stride;
                const long own = own_of(s, first + i, seen);
                const T scale = scale_of(s, b, h, first + i, own, w);
                drop(s, b, h, first + i, own, d);
                Vec<T> products{};
                const T *g = gs + (first + i) * grad.row, *y = outs + (first + i) * out.row;
                for (long j = 0; j < s.value_width; j += W)
                    products += part(g + j, std::min(W, s.value_width - j)) * part(y + j, std::min(W, s.value_width - j));
                const T inner = sum<T>(products), level = lse[(b * s.heads + h) * s.queries + first + i];
                exponentials(w, own, seen, scale, level, [&](Vec<T> e, long j, long some) INLINE_LAMBDA {
                    put(d + j, e * (part(d + j, some) - inner) * T(s.scale), some);
                });
                for (long j = own; j < seen; j += W) put(d + j, Vec<T>{}, std::min(W, seen - j));
                drop(s, b, h, first + i, own, w);
            }
            pack_rows<T, false>(qs + first * q.row, q.row, rows, s.width, some_q);
            pack_rows<T, false>(gs + first * grad.row, grad.row, rows, s.value_width, some_g);
            block(seen, s.value_width, rows, Matrix<T>{weights, 1, stride}, Panels<T>{some_g, N, N * rows}, dv, by_v.row, true);
            block(seen, s.width, rows, Matrix<T>{slopes, 1, stride}, Panels<T>{some_q, N, N * rows}, dk, by_k.row, true);
            block(rows, s.width, seen, Matrix<T>{slopes, stride, 1}, Panels<T>{keys, N, N * s.keys}, dq + first * by_q.row, by_q.row,
                  false);
        }
    });
}

}  // namespace

template <> AttentionKernels<float> attention_kernels<float>() { return {forward<float>, backward<float>}; }
template <> AttentionKernels<double> attention_kernels<double>() { return {forward<double>, backward<double>}; }

}  // namespace dovetail::ISA
