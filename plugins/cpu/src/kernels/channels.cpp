// Columns side by side: as many as keep all of their elements in the first cache.
#include "channels.h"

#include <limits>

#include "../math.h"
#include "../pool.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 2048;  // elements that are worth a thread
template <class T> constexpr long VECTORS = 4;
template <class T> constexpr long SPAN = VECTORS<T> * WIDTH<T>;

// Calls f(at, columns) for each part of up to SPAN columns; `at` is where its first row begins.
template <class T, class F> void each_span(long outer, long n, long inner, F f) {
    const long spans = (inner + SPAN<T> - 1) / SPAN<T>;
    parallel_range(outer * spans, std::max(1L, GRAIN / (n * std::min(inner, SPAN<T>))), [&](long i, long end) {
        for (; i < end; i++) {
            const long j = i % spans * SPAN<T>;
            f(i / spans * n * inner + j, std::min(SPAN<T>, inner - j));
        }
    });
}

// One value for each column of a span.
template <class T> struct Row {
    Vec<T> v[VECTORS<T>];

    explicit Row(T all) {
        for (auto& one : v) one = splat(all);
    }
    // Calls f(vector, first column, how many) for all of `columns`.
    template <class F> INLINE void each(long columns, F f) {
        if (columns == SPAN<T>) {
#pragma GCC unroll 4
            for (long u = 0; u < VECTORS<T>; u++) f(v[u], u * WIDTH<T>, WIDTH<T>);
        } else
            for (long u = 0, j = 0; j < columns; u++, j += WIDTH<T>) f(v[u], j, std::min(WIDTH<T>, columns - j));
    }
};

template <class T> Row<T> largest(long n, long inner, long columns, const T* x) {
    Row<T> most(-std::numeric_limits<T>::infinity());
    for (long k = 0; k < n; k++, x += inner)
        most.each(columns, [&](Vec<T>& m, long j, long some) INLINE_LAMBDA { m = greater<T>(part(x + j, some), m); });
    return most;
}

// Of each column, Σ exp(x - its largest element).
template <class T> Row<T> exp_sums(long n, long inner, long columns, const T* x, const Row<T>& most) {
    Row<T> total(0);
    for (long k = 0; k < n; k++, x += inner)
        total.each(columns,
                   [&](Vec<T>& t, long j, long some) INLINE_LAMBDA { t += exp_of_negative<T>(part(x + j, some) - most.v[j / WIDTH<T>]); });
    return total;
}

template <class T> void softmax(long outer, long n, long inner, const T* x, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        Row<T> most = largest(n, inner, columns, x + at), total(0);
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                const Vec<T> e = exp_of_negative<T>(part(x + i, some) - most.v[j / WIDTH<T>]);
                t += e;
                put(out + i, e, some);
            });
        total.each(columns, [](Vec<T>& t, long, long) INLINE_LAMBDA { t = T(1) / t; });
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                T* to = out + at + k * inner + j;
                put(to, part(to, some) * t, some);
            });
    });
}

template <class T> void softmax_grad(long outer, long n, long inner, const T* g, const T* y, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        Row<T> total(0);
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                t += part(g + i, some) * part(y + i, some);
            });
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                put(out + i, (part(g + i, some) - t) * part(y + i, some), some);
            });
    });
}

template <class T> void log_softmax(long outer, long n, long inner, const T* x, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        const Row<T> most = largest(n, inner, columns, x + at);
        Row<T> total = exp_sums(n, inner, columns, x + at, most);
        total.each(columns, [](Vec<T>& t, long, long) INLINE_LAMBDA { t = log<T>(t); });
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                put(out + i, part(x + i, some) - most.v[j / WIDTH<T>] - t, some);
            });
    });
}

template <class T> void log_sum(long outer, long n, long inner, const T* x, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        const Row<T> most = largest(n, inner, columns, x + at);
        Row<T> total = exp_sums(n, inner, columns, x + at, most);
        total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
            const Vec<T> top = most.v[j / WIDTH<T>];
            const Vec<T> found = magnitude<T>(top) == std::numeric_limits<T>::infinity() ? top : top + log<T>(t);
            put(out + at / (n * inner) * inner + at % inner + j, found, some);
        });
    });
}

template <class T> void log_softmax_grad(long outer, long n, long inner, const T* g, const T* y, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        Row<T> total(0);
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA { t += part(g + at + k * inner + j, some); });
        for (long k = 0; k < n; k++)
            total.each(columns, [&](Vec<T>& t, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                put(out + i, part(g + i, some) - exp_of_negative<T>(part(y + i, some)) * t, some);
            });
    });
}

template <class T> void cross_entropy_grad(long outer, long n, long inner, const T* logp, const int64_t* label, const T* scale, T* out) {
    each_span<T>(outer, n, inner, [&](long at, long columns) {
        const long first = at / (n * inner) * inner + at % inner;  // of the labels
        Row<T> scales(0);
        T own[SPAN<T>] = {};
        for (long j = 0; j < columns; j++) own[j] = label[first + j] < 0 ? T(0) : scale[first + j];
        scales.each(columns, [&](Vec<T>& s, long j, long) INLINE_LAMBDA { s = load(own + j); });
        for (long k = 0; k < n; k++)
            scales.each(columns, [&](Vec<T>& s, long j, long some) INLINE_LAMBDA {
                const long i = at + k * inner + j;
                put(out + i, exp_of_negative<T>(part(logp + i, some)) * s, some);
            });
        for (long j = 0; j < columns; j++)
            if (label[first + j] >= 0) out[at + label[first + j] * inner + j] -= own[j];
    });
}

}  // namespace

#define INSTANCE(T)                                                                                                   \
    template <> ChannelsKernels<T> channels_kernels<T>() {                                                            \
        return {softmax<T>, softmax_grad<T>, log_softmax<T>, log_softmax_grad<T>, log_sum<T>, cross_entropy_grad<T>}; \
    }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
