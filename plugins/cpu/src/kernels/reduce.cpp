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

// Columns [first, last) of the sum of rows.
template <class T> void columns(long rows, long step, const T* x, long first, long last, double* total) {
    constexpr long W = WIDTH<T>;
    for (long j = first; j < last; j += W) {
        const long some = std::min(W, last - j);
        double* to = total + j;
        for (long i = 0; i < some; i++) to[i] = 0;
        for (long begin = 0; begin < rows; begin += 256) {
            const long end = std::min(rows, begin + 256);
            Vec<T> acc[2] = {};
            long r = begin;
            for (; r + 2 <= end; r += 2) acc[0] += part(x + r * step + j, some), acc[1] += part(x + (r + 1) * step + j, some);
            if (r < end) acc[0] += part(x + r * step + j, some);
            T lanes[W];
            store(lanes, acc[0] + acc[1]);
            for (long i = 0; i < some; i++) to[i] += double(lanes[i]);
        }
    }
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
            columns(outer * (i + 1) / parts - r, kept, x + r * kept, 0, kept, sums + i * kept);
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

// LINES sums at a time, which hides how long one addition takes; `step` lies between the elements of a line, `apart` between lines.
template <class T, long LINES> INLINE void run_along(long n, long step, long apart, const T* x, T* out) {
    double total[LINES] = {};
    for (long i = 0; i < n; i++, x += step, out += step)
#pragma GCC unroll 32
        for (long l = 0; l < LINES; l++) {
            total[l] += double(x[l * apart]);
            out[l * apart] = T(total[l]);
        }
}

template <class T> void running(long outer, long n, long inner, const T* x, T* out) {
    constexpr long SOME = 32, FEW = 4;
    const long groups = inner == 1 ? (outer + FEW - 1) / FEW : outer * ((inner + SOME - 1) / SOME);
    parallel_range(groups, std::max(1L, 16384 / (n * (inner == 1 ? FEW : SOME))), [&](long group, long end) {
        for (; group < end; group++) {
            if (inner == 1) {
                const long first = group * FEW, many = std::min(FEW, outer - first);
                if (many == FEW) run_along<T, FEW>(n, 1, n, x + first * n, out + first * n);
                else
                    for (long l = first; l < first + many; l++) run_along<T, 1>(n, 1, n, x + l * n, out + l * n);
                continue;
            }
            const long per = (inner + SOME - 1) / SOME, j = group % per * SOME, at = group / per * n * inner + j;
            if (j + SOME <= inner) run_along<T, SOME>(n, inner, 1, x + at, out + at);
            else
                for (long l = 0; l < inner - j; l++) run_along<T, 1>(n, inner, 1, x + at + l, out + at + l);
        }
    });
}

template <class T> void take_rows(long count, long width, const T* table, const int64_t* index, T* out) {
    parallel_range(count, std::max(1L, 16384 / width), [&](long i, long end) {
        for (; i < end; i++) std::memcpy(out + i * width, table + index[i] * width, sizeof(T) * size_t(width));
    });
}

template <class T> void add_rows(long count, long width, const T* rows, const int64_t* index, long skip, long table_rows, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(table_rows, std::max(1L, 32768 / width),
                   [&](long r, long end) { std::memset(out + r * width, 0, sizeof(T) * size_t((end - r) * width)); });
    // Each thread takes some columns of all rows: no two write the same place, and the order of a sum is that of the indices.
    const long blocks = (width + W - 1) / W;
    parallel_range(blocks, std::max(1L, 16384 / std::max(1L, count * W)), [&](long first, long last) {
        const long from = first * W, to = std::min(width, last * W);
        for (long i = 0; i < count; i++) {
            if (index[i] == skip) continue;
            T* place = out + index[i] * width;
            for (long j = from; j < to; j += W) {
                const long some = std::min(W, to - j);
                put(place + j, part(place + j, some) + part(rows + i * width + j, some), some);
            }
        }
    });
}

// Each thread takes some columns, or some of the outer ones: no two write the same place, and sums go in the order of the index.
template <class T>
void add_at(long outer, long n, long inner, long size, const T* x, const int64_t* index, const long (&step)[3], T alpha, T* out) {
    constexpr long W = WIDTH<T>;
    const long blocks = (inner + W - 1) / W;
    parallel_range(outer * blocks, std::max(1L, 16384 / (n * std::min(W, inner))), [&](long task, long end) {
        while (task < end) {  // neighbouring blocks together, as far as the outer index goes
            const long o = task / blocks, first = task % blocks, last = std::min(blocks, first + end - task);
            const long from = first * W, to = std::min(inner, last * W);
            task += last - first;
            for (long i = 0; i < n; i++) {
                const int64_t* at = index + o * step[0] + i * step[1];
                const T* row = x + (o * n + i) * inner;
                if (step[2] == 0) {
                    T* place = out + (o * size + *at) * inner;
                    for (long j = from; j < to; j += W) {
                        const long some = std::min(W, to - j);
                        put(place + j, part(place + j, some) + part(row + j, some) * alpha, some);
                    }
                } else
                    for (long j = from; j < to; j++) out[(o * size + at[j * step[2]]) * inner + j] += row[j] * alpha;
            }
        }
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> ReduceKernels<T> reduce_kernels<T>() { return {sum_of<T>, running<T>, take_rows<T>, add_at<T>, add_rows<T>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
