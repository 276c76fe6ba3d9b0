// Sums. Long ones are taken in pieces whose sums are added in double, so that rounding does not grow with the length.
#include "reduce.h"

#include "../pool.h"
#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long PIECE = 4096;  // elements, or rows, that are summed in the type itself

template <class T> double run(const T* p, long n) {
    constexpr long W = WIDTH<T>;
    double total = 0;
    for (long begin = 0; begin < n; begin += PIECE) {
        const long end = std::min(n, begin + PIECE);
        Vec<T> acc[4] = {};
        long i = begin;
        for (; i + 4 * W <= end; i += 4 * W)
#pragma GCC unroll 4
            for (int u = 0; u < 4; u++) acc[u] += load(p + i + u * W);
        for (; i < end; i += W) acc[0] += part(p + i, std::min(W, end - i));
        total += double(sum<T>((acc[0] + acc[1]) + (acc[2] + acc[3])));
    }
    return total;
}

// So many vectors of the sum of rows, the last of which may be only `some` wide.
template <class T, int VECTORS> void columns(long rows, long step, const T* x, long some, double* total) {
    constexpr long W = WIDTH<T>;
    const long width = (VECTORS - 1) * W + some;
    std::fill_n(total, width, 0.0);
    for (long begin = 0; begin < rows; begin += 256) {
        const long end = std::min(rows, begin + 256);
        Vec<T> acc[2][VECTORS] = {};
        for (long r = begin; r < end; r += 2)
            for (int odd = 0; odd < 2 && r + odd < end; odd++)
#pragma GCC unroll 4
                for (int u = 0; u < VECTORS; u++) {
                    const T* from = x + (r + odd) * step + u * W;
                    acc[odd][u] += u + 1 < VECTORS ? load(from) : part(from, some);
                }
        T lanes[VECTORS * W];
#pragma GCC unroll 4
        for (int u = 0; u < VECTORS; u++) store(lanes + u * W, acc[0][u] + acc[1][u]);
        for (long i = 0; i < width; i++) total[i] += double(lanes[i]);
    }
}

// The sum of rows of `kept` columns, several vectors of each row at a time: a row's memory is read in runs.
template <class T> void columns(long rows, long kept, const T* x, double* total) {
    constexpr long W = WIDTH<T>, SIDE = 4;
    long j = 0;
    for (; j + SIDE * W <= kept; j += SIDE * W) columns<T, SIDE>(rows, kept, x + j, W, total + j);
    for (; j < kept; j += W) columns<T, 1>(rows, kept, x + j, std::min(W, kept - j), total + j);
}

template <class T> void sum_of(long outer, long kept, long inner, const T* x, T scale, T* out) {
    const long threads_wanted = threads();
    if (kept == 1) {  // one sum: pieces for the threads, added in order
        const long n = outer * inner, parts = std::clamp(n / 32768, 1L, threads_wanted * 2);
        double* sums = scratch<double>(SLOT_1, parts);
        parallel(parts, [&](long i, int) { sums[i] = run(x + n * i / parts, n * (i + 1) / parts - n * i / parts); });
        double total = 0;
        for (long i = 0; i < parts; i++) total += sums[i];
        *out = T(total * double(scale));
    } else if (inner == 1) {  // columns: shares of the rows, then the shares' sums
        const long parts = std::clamp(outer * kept / 32768, 1L, std::min(threads_wanted, outer));
        double* sums = scratch<double>(SLOT_1, parts * kept);
        parallel(parts, [&](long i, int) {
            const long r = outer * i / parts;
            columns(outer * (i + 1) / parts - r, kept, x + r * kept, sums + i * kept);
        });
        for (long j = 0; j < kept; j++) {
            double total = 0;
            for (long i = 0; i < parts; i++) total += sums[i * kept + j];
            out[j] = T(total * double(scale));
        }
    } else {
        parallel_range(kept, std::max(1L, 16384 / (outer * inner)), [&](long k, long end) {
            for (; k < end; k++) {
                double total = 0;
                for (long i = 0; i < outer; i++) total += run(x + (i * kept + k) * inner, inner);
                out[k] = T(total * double(scale));
            }
        });
    }
}

// Calls f(LINES, at, step, apart) until all lines along the middle one of (outer, n, inner) are done: LINES at a time, which hides how
// long one operation takes. They begin at `at`; `step` lies between the elements of a line, `apart` between lines.
template <long LINES> using Lines = std::integral_constant<long, LINES>;
template <class F> void each_lines(long outer, long n, long inner, F f) {
    constexpr long SOME = 32, FEW = 4;
    const long groups = inner == 1 ? (outer + FEW - 1) / FEW : outer * ((inner + SOME - 1) / SOME);
    parallel_range(groups, std::max(1L, 16384 / (n * (inner == 1 ? FEW : SOME))), [&](long group, long end) {
        for (; group < end; group++) {
            if (inner == 1) {
                const long first = group * FEW, many = std::min(FEW, outer - first);
                if (many == FEW) f(Lines<FEW>{}, first * n, 1, n);
                else
                    for (long l = first; l < first + many; l++) f(Lines<1>{}, l * n, 1, n);
                continue;
            }
            const long per = (inner + SOME - 1) / SOME, j = group % per * SOME, at = group / per * n * inner + j;
            if (j + SOME <= inner) f(Lines<SOME>{}, at, inner, 1);
            else
                for (long l = 0; l < inner - j; l++) f(Lines<1>{}, at + l, inner, 1);
        }
    });
}

template <bool PRODUCT, class T, long LINES> INLINE void run_along(Lines<LINES>, long n, long step, long apart, const T* x, T* out) {
    double total[LINES];
    for (double& t : total) t = PRODUCT;
    for (long i = 0; i < n; i++, x += step, out += step)
#pragma GCC unroll 32
        for (long l = 0; l < LINES; l++) {
            total[l] = PRODUCT ? total[l] * double(x[l * apart]) : total[l] + double(x[l * apart]);
            out[l * apart] = T(total[l]);
        }
}

template <bool PRODUCT, class T> void running(long outer, long n, long inner, const T* x, T* out) {
    each_lines(outer, n, inner, [&](auto lines, long at, long step, long apart) INLINE_LAMBDA {
        run_along<PRODUCT>(lines, n, step, apart, x + at, out + at);
    });
}

// before[k] · r[k], with before[k] the product of what precedes x[k], and r[k] = grad[k] + x[k + 1] r[k + 1]: nothing is divided.
template <class T, long LINES> INLINE void grad_along(Lines<LINES>, long n, long step, long apart, const T* grad, const T* x, T* out) {
    double part[LINES];
    for (double& p : part) p = 1;
    for (long i = 0; i < n; i++)
#pragma GCC unroll 32
        for (long l = 0; l < LINES; l++) {
            const long at = i * step + l * apart;
            out[at] = T(part[l]), part[l] *= double(x[at]);
        }
    for (double& p : part) p = 0;
    for (long i = n - 1; i >= 0; i--)
#pragma GCC unroll 32
        for (long l = 0; l < LINES; l++) {
            const long at = i * step + l * apart;
            const double r = double(grad[at]) + part[l];
            out[at] = T(double(out[at]) * r), part[l] = r * double(x[at]);
        }
}

template <class T> void products_grad(long outer, long n, long inner, const T* grad, const T* x, T* out) {
    each_lines(outer, n, inner, [&](auto lines, long at, long step, long apart) INLINE_LAMBDA {
        grad_along(lines, n, step, apart, grad + at, x + at, out + at);
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> ReduceKernels<T> reduce_kernels<T>() { return {sum_of<T>, running<false, T>, running<true, T>, products_grad<T>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
