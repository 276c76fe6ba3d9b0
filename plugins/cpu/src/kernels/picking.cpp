// Where the index is the same along a row, rows are moved; else elements. Every sum goes in the order of the index, for any number of
// threads: no two of them write to the same columns.
#include "picking.h"

#include "../pool.h"
#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 16384;  // elements that are worth a thread

template <class T, class F> INLINE void each_vector(long n, F f) {
    constexpr long W = WIDTH<T>;
    long j = 0;
    for (; j + W <= n; j += W) f(j, W);
    if (j < n) f(j, n - j);
}

template <class T> void take(const Picks& p, const T* x, const int64_t* index, T* out) {
    parallel_range(p.outer * p.n, std::max(1L, GRAIN / p.inner), [&](long row, long end) {
        while (row < end) {
            const long o = row / p.n, first = row % p.n, last = std::min(p.n, first + end - row);
            const T* from = x + o * p.size * p.inner;
            T* to = out + row * p.inner;
            const int64_t* at = index + o * p.step[0] + first * p.step[1];
            row += last - first;
            if (p.inner == 1)
                for (long i = 0; i < last - first; i++) to[i] = from[at[i * p.step[1]]];
            else
                for (long i = first; i < last; i++, at += p.step[1], to += p.inner) {
                    if (p.step[2] == 0) {
                        const T* picked = from + *at * p.inner;
                        each_vector<T>(p.inner, [&](long j, long some) INLINE_LAMBDA { put(to + j, part(picked + j, some), some); });
                    } else
                        for (long j = 0; j < p.inner; j++) to[j] = from[at[j * p.step[2]] * p.inner + j];
                }
        }
    });
}

// What becomes of what is there; of numbers or vectors of them.
template <Giving HOW, class V, class T> INLINE V given(V there, V x, T alpha) {
    if constexpr (HOW == Giving::add) return there + x * alpha;
    else if constexpr (HOW == Giving::most) return (there > x) | (there != there) ? there : x;
    else if constexpr (HOW == Giving::least) return (there < x) | (there != there) ? there : x;
    else if constexpr (HOW == Giving::times) return there * x;
    else return x;
}

template <class T, Giving HOW> INLINE void give_row(const T* row, T* place, long n, T alpha) {
    each_vector<T>(n, [&](long j, long some) INLINE_LAMBDA {
        const Vec<T> v = part(row + j, some);
        put(place + j, HOW == Giving::write ? v : given<HOW>(part(place + j, some), v, alpha), some);
    });
}

template <class T, Giving HOW> void give_all(const Picks& p, const T* x, const int64_t* index, T alpha, T* out) {
    constexpr long W = WIDTH<T>;
    const long blocks = (p.inner + W - 1) / W;
    const auto give_one = [alpha](T& place, T value) INLINE_LAMBDA { place = given<HOW>(place, value, alpha); };
    parallel_range(p.outer * blocks, std::max(1L, GRAIN / (p.n * std::min(W, p.inner))), [&](long task, long end) {
        while (task < end) {  // neighbouring blocks together, as far as the outer index goes
            const long o = task / blocks, first = task % blocks, last = std::min(blocks, first + end - task);
            const long from = first * W, n = std::min(p.inner, last * W) - from;
            task += last - first;
            const int64_t* at = index + o * p.step[0] + from * p.step[2];
            const T* row = x + o * p.n * p.inner + from;
            T* place = out + o * p.size * p.inner + from;
            if (p.inner == 1)
                for (long i = 0; i < p.n; i++) give_one(place[at[i * p.step[1]]], row[i]);
            else
                for (long i = 0; i < p.n; i++, at += p.step[1], row += p.inner) {
                    if (p.step[2] == 0) give_row<T, HOW>(row, place + *at * p.inner, n, alpha);
                    else
                        for (long j = 0; j < n; j++) give_one(place[at[j * p.step[2]] * p.inner + j], row[j]);
                }
        }
    });
}

template <class T> void give(const Picks& p, Giving how, const T* x, const int64_t* index, T alpha, T* out) {
    const auto all = how == Giving::add     ? give_all<T, Giving::add>
                     : how == Giving::write ? give_all<T, Giving::write>
                     : how == Giving::most  ? give_all<T, Giving::most>
                     : how == Giving::least ? give_all<T, Giving::least>
                                            : give_all<T, Giving::times>;
    all(p, x, index, alpha, out);
}

}  // namespace

template <> PickingKernels<float> picking_kernels<float>() { return {take<float>, give<float>}; }
template <> PickingKernels<double> picking_kernels<double>() { return {take<double>, give<double>}; }

}  // namespace dovetail::ISA
