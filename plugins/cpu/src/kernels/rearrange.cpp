// Copies row by row where the innermost dimensions agree; else squares of a vector's width are turned in registers.
#include "rearrange.h"

#include "../pool.h"
#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 32768;  // elements that are worth a thread

// The loops of a route without some of its dimensions, one step after the other.
class Loops {
    int dims = 0;
    long size[Route::MOST], from[Route::MOST], to[Route::MOST], at[Route::MOST];

  public:
    long count = 1, read = 0, write = 0;  // how many steps, and where the present one reads and writes

    Loops(const Route& r, int without, int and_without) {
        for (int d = 0; d < r.dims; d++)
            if (d != without && d != and_without) size[dims] = r.size[d], from[dims] = r.from[d], to[dims++] = r.to[d], count *= r.size[d];
    }
    void begin(long step) {
        read = write = 0;
        for (int d = dims - 1; d >= 0; step /= size[d], d--) at[d] = step % size[d], read += at[d] * from[d], write += at[d] * to[d];
    }
    void next() {
        for (int d = dims - 1; d >= 0; d--) {
            read += from[d], write += to[d];
            if (++at[d] < size[d]) return;
            read -= from[d] * size[d], write -= to[d] * size[d], at[d] = 0;
        }
    }
};

template <class T> INLINE void copy_row(const T* from, T* to, long n) {
    constexpr long W = WIDTH<T>;
    long i = 0;
    for (; i + W <= n; i += W) store(to + i, load(from + i));
    if (i < n) store(to + i, load(from + i, n - i), n - i);
}

template <class T> void copy_rows(const Route& r, const T* x, T* out) {
    const int last = r.dims - 1;
    const long n = r.size[last], step = r.from[last];
    const Loops all(r, last, last);
    parallel_range(all.count, std::max(1L, GRAIN / n), [&](long i, long end) {
        Loops at = all;
        for (at.begin(i); i < end; i++, at.next()) {
            const T* from = x + at.read;
            T* to = out + at.write;
            if (step == 1) copy_row(from, to, n);
            else if (step == 0) std::fill_n(to, n, *from);
            else
                for (long k = 0; k < n; k++) to[k] = from[k * step];
        }
    });
}

// Of a matrix whose rows lie `step` apart, `rows` and `columns` no more than a vector has: its columns as rows, `apart`.
template <class T> INLINE void turn(const T* from, long step, T* to, long apart, long rows, long columns) {
    constexpr long W = WIDTH<T>;
    if (rows == W && columns == W) return transpose(from, step, to, apart);
    Vec<T> square[W];
    for (long i = 0; i < W; i++) square[i] = i < rows ? load(from + i * step, columns) : Vec<T>{};
    transpose<T>(square);
    for (long i = 0; i < columns; i++) store(to + i * apart, square[i], rows);
}

// Dimension `along` lies in a run in what is read, the last one in what is written.
template <class T> void turn_all(const Route& r, int along, const T* x, T* out) {
    constexpr long W = WIDTH<T>, BLOCK = 4 * W;
    const int last = r.dims - 1;
    const long rows = r.size[last], columns = r.size[along], step = r.from[last], apart = r.to[along];
    const Loops all(r, last, along);
    const long blocks = (columns + BLOCK - 1) / BLOCK;
    parallel_range(all.count * blocks, std::max(1L, GRAIN / (rows * std::min(columns, BLOCK))), [&](long task, long end) {
        Loops at = all;
        for (at.begin(task / blocks); task < end; task++) {
            const long first = task % blocks * BLOCK, stop = std::min(columns, first + BLOCK);
            for (long i = 0; i < rows; i += W)
                for (long j = first; j < stop; j += W) {
                    const T* from = x + at.read + i * step + j;
                    turn(from, step, out + at.write + j * apart + i, apart, std::min(W, rows - i), std::min(W, stop - j));
                }
            if (stop == columns) at.next();
        }
    });
}

template <class T> void copy(const Route& r, const T* x, T* out) {
    int along = r.dims - 1;
    if (r.from[along] != 1)
        for (int d = 0; d < r.dims; d++)
            if (r.from[d] == 1) along = d;
    if (along == r.dims - 1) copy_rows(r, x, out);
    else turn_all(r, along, x, out);
}

template <class T> void triangle(long count, long rows, long columns, long diagonal, bool upper, const T* x, T* out) {
    parallel_range(count * rows, std::max(1L, GRAIN / columns), [&](long i, long end) {
        for (; i < end; i++) {
            const T* from = x + i * columns;
            T* to = out + i * columns;
            const long edge = std::clamp(i % rows + diagonal + !upper, 0L, columns);
            const long kept = upper ? edge : 0, stop = upper ? columns : edge;
            std::memset(to, 0, sizeof(T) * size_t(kept));
            copy_row(from + kept, to + kept, stop - kept);
            std::memset(to + stop, 0, sizeof(T) * size_t(columns - stop));
        }
    });
}

template <class T> void pad(const Padding& p, T value, const T* x, T* out) {
    parallel_range(p.blocks * p.rows, std::max(1L, GRAIN / p.width), [&](long i, long end) {
        for (; i < end; i++) {
            const long row = p.row[i % p.rows];
            T* to = out + i * p.width;
            if (row < 0) {
                std::fill(to, to + p.width, value);
                continue;
            }
            const T* from = x + (i / p.rows * p.from_rows + row) * p.from_width;
            const auto border = [&](long j, long stop) {
                for (; j < stop; j++) to[j] = p.place[j] < 0 ? value : from[p.place[j]];
            };
            border(0, p.first);
            if (p.first < p.last) copy_row(from + p.place[p.first], to + p.first, p.last - p.first);
            border(p.last, p.width);
        }
    });
}

template <class T> void pad_grad(const Padding& p, const T* g, T* out) {
    constexpr long W = WIDTH<T>;
    const long size = p.from_rows * p.from_width;
    parallel_range(p.blocks, std::max(1L, GRAIN / size), [&](long block, long end) {
        std::memset(out + block * size, 0, sizeof(T) * size_t((end - block) * size));
        for (; block < end; block++)
            for (long r = 0; r < p.rows; r++) {
                const T* from = g + (block * p.rows + r) * p.width;
                T* to = out + block * size + p.row[r] * p.from_width;
                for (long j = 0; j < p.first; j++) to[p.place[j]] += from[j];
                for (long j = p.first; j < p.last; j += W) {
                    const long some = std::min(W, p.last - j);
                    T* place = to + p.place[j];
                    put(place, part(place, some) + part(from + j, some), some);
                }
                for (long j = p.last; j < p.width; j++) to[p.place[j]] += from[j];
            }
    });
}

}  // namespace

template <> RearrangeKernels<float> rearrange_kernels<float>() { return {copy<float>, pad<float>, pad_grad<float>, triangle<float>}; }
template <> RearrangeKernels<double> rearrange_kernels<double>() { return {copy<double>, pad<double>, pad_grad<double>, triangle<double>}; }

}  // namespace dovetail::ISA
