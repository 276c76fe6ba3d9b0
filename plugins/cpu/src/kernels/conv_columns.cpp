// Convolution as matrix products with columns that are made part by part, in cache (the implicit form).
#include "../allocator.h"
#include "../pool.h"
#include "columns.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

constexpr long DEPTH = 256;     // rows of columns at a time: whole channels, as many as fit
constexpr long POINTS = 128;    // output points at a time
constexpr long SMALL_MAP = 64;  // maps below this are taken several images at a time, so that the weights are read less often

long channel_block(const ConvShape& s) { return std::clamp(DEPTH / s.taps(), 1L, s.c / s.groups); }
bool is_product(const ConvShape& s) { return s.taps() == 1 && s.sh == 1 && s.sw == 1 && !s.ph && !s.pw; }

template <class T> void add_bias(T* y, long rows, long step, long n, const T* bias) {
    constexpr long W = WIDTH<T>;
    for (long i = 0; i < rows; i++) {
        const Vec<T> b = splat(bias[i]);
        T* to = y + i * step;
        long j = 0;
        for (; j + W <= n; j += W) store(to + j, load(to + j) + b);
        for (; j < n; j++) to[j] += bias[i];
    }
}

// Copy rows of points that count through the images from or to where they lie: rows o of (image, o, point).
template <class T, class F> void by_image(const ConvShape& s, long first, long count, F&& f) {
    for (long place = 0; place < count;) {
        const long q = first + place, image = q / s.points(), at = q % s.points(), length = std::min(s.points() - at, count - place);
        f(place, image, at, length);
        place += length;
    }
}

// The sum of `shares` matrices (rows x columns, `apart` from each other), turned: to[j][i] = Σ from[i][j].
template <class T> void sum_turned(const T* from, long apart, long shares, long rows, long columns, T* to) {
    constexpr long W = WIDTH<T>;
    const long tall = rows / W * W, wide = columns / W * W;
    auto one = [&](long i, long j) {
        T v = from[i * columns + j];
        for (long share = 1; share < shares; share++) v += from[share * apart + i * columns + j];
        to[j * rows + i] = v;
    };
    parallel_range((rows + W - 1) / W, std::max(1L, 8192 / (columns * W)), [&](long first, long last) {
        for (long i = first * W; i < std::min(rows, last * W); i += W) {
            if (i < tall)
                for (long j = 0; j < wide; j += W) {
                    Vec<T> square[W];
#pragma GCC unroll 16
                    for (int r = 0; r < W; r++) square[r] = load(from + (i + r) * columns + j);
                    for (long share = 1; share < shares; share++)
#pragma GCC unroll 16
                        for (int r = 0; r < W; r++) square[r] += load(from + share * apart + (i + r) * columns + j);
                    transpose<T>(square);
#pragma GCC unroll 16
                    for (int r = 0; r < W; r++) store(to + (j + r) * rows + i, square[r]);
                }
            for (long r = i; r < std::min(rows, i + W); r++)
                for (long j = i < tall ? wide : 0; j < columns; j++) one(r, j);
        }
    });
}

}  // namespace

template <class T> void columns_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
    constexpr long N = TILE_COLUMNS<T>;
    const long cg = s.c / s.groups, og = s.o / s.groups, k = cg * s.taps(), points = s.points(), step = channel_block(s);
    const bool small = points < SMALL_MAP, plain = is_product(s);
    const long span = small ? s.n * points : points;  // points that count through
    const long blocks = (span + POINTS - 1) / POINTS, images = small ? 1 : s.n;
    long parts = 1;  // of the output channels, where there are too few blocks for the threads
    while (blocks * images * s.groups * parts < 2 * threads() && og / (parts * 2) >= 2 * TILE_ROWS) parts *= 2;
    parallel(blocks * images * s.groups * parts, [&](long t, int) {
        const long part = t % parts, g = t / parts % s.groups, b = t / parts / s.groups % blocks, image = t / parts / s.groups / blocks;
        const long first = span * b / blocks / N * N, end = b + 1 == blocks ? span : span * (b + 1) / blocks / N * N, count = end - first;
        if (count <= 0) return;
        const long o0 = og * part / parts, rows = og * (part + 1) / parts - o0, start = image * points + first;
        T* out = small ? scratch<T>(SLOT_2, og * (POINTS + N)) : y + (image * s.o + g * og + o0) * points + first;
        const long ldc = small ? POINTS + N : points;
        for (long c = 0; c < cg; c += step) {
            const long channels = std::min(step, cg - c), depth = channels * s.taps();
            const Matrix<T> left{w + (g * og + o0) * k + c * s.taps(), k, 1};
            Panels<T> right;
            if (plain && !small && count % N == 0) {  // the image is the columns
                right = {x + (image * s.c + g * cg + c) * points + first, points, N};
            } else {
                T* columns = scratch<T>(SLOT_1, depth * (POINTS + 2 * N));
                fill_columns<T, N>(s, x, g * cg + c, channels, start, count, columns, N, depth * N);
                right = {columns, N, depth * N};
            }
            block(rows, count, depth, left, right, out, ldc, c > 0);
        }
        if (bias) add_bias(out, rows, ldc, count, bias + g * og + o0);
        if (small)
            by_image<T>(s, start, count, [&](long place, long i, long at, long length) {
                for (long o = 0; o < rows; o++)
                    std::memcpy(y + (i * s.o + g * og + o0 + o) * points + at, out + o * ldc + place, sizeof(T) * size_t(length));
            });
    });
}

template <class T> void columns_input_grad(const ConvShape& s, const T* dy, const T* w, T* dx) {
    constexpr long N = TILE_COLUMNS<T>;
    const long cg = s.c / s.groups, og = s.o / s.groups, k = cg * s.taps(), points = s.points(), plane = s.h * s.w, step = channel_block(s);
    const bool plain = is_product(s);
    const long blocks = (cg + step - 1) / step;
    long chunks = std::min(s.n, std::max(1L, (4 * threads() + blocks * s.groups - 1) / (blocks * s.groups)));
    parallel(blocks * s.groups * chunks, [&](long t, int) {
        const long b = t % blocks, g = t / blocks % s.groups, chunk = t / blocks / s.groups;
        const long c = cg * b / blocks, channels = cg * (b + 1) / blocks - c, rows = channels * s.taps();
        if (!channels) return;
        // The weights, turned: gathered once, as they lie far apart and are read for every few points.
        const long width = (rows + 15) / 16 * 16 + 16;
        T* weights = scratch<T>(SLOT_3, og * width);
        for (long o = 0; o < og; o++) std::memcpy(weights + o * width, w + (g * og + o) * k + c * s.taps(), sizeof(T) * size_t(rows));
        const Matrix<T> left{weights, 1, width};
        for (long image = s.n * chunk / chunks; image < s.n * (chunk + 1) / chunks; image++) {
            T* to = dx + (image * s.c + g * cg + c) * plane;
            if (!plain) std::memset(to, 0, sizeof(T) * size_t(channels * plane));
            const T* from = dy + (image * s.o + g * og) * points;
            for (long first = 0; first < points; first += POINTS) {
                const long count = std::min(POINTS, points - first), whole = count / N * N;
                T* columns = plain ? to + first : scratch<T>(SLOT_1, rows * POINTS);
                const long ldc = plain ? plane : POINTS;
                if (whole) block(rows, whole, og, left, Panels<T>{from + first, points, N}, columns, ldc, false);
                if (whole < count) {
                    T* rest = scratch<T>(SLOT_2, og * N);
                    pack(Matrix<T>{from + first + whole, points, 1}, og, count - whole, rest, 0, 1);
                    block(rows, count - whole, og, left, Panels<T>{rest, N, og * N}, columns + whole, ldc, false);
                }
                if (plain) continue;
                Run runs[POINTS];
                const long n = runs_of(s, first, count, runs);
                for (long tap = 0; tap < s.taps(); tap++)
                    for (long r = 0; r < n; r++) {
                        Meeting m;
                        if (!meets(s, tap / s.kw, tap % s.kw, runs[r].row, runs[r].column, runs[r].length, m)) continue;
                        for (long i = 0; i < channels; i++)
                            add_run(columns + (i * s.taps() + tap) * POINTS + runs[r].place + m.skip, to + i * plane + m.at, s.sw,
                                    m.length);
                    }
            }
        }
    });
}

template <class T> void columns_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw) {
    constexpr long N = TILE_COLUMNS<T>;
    const long cg = s.c / s.groups, og = s.o / s.groups, k = cg * s.taps(), points = s.points(), step = channel_block(s);
    const long total = s.n * points, width = panels_of<T>(og) * N, workers = threads();
    // Threads share out the channels where there are enough, else the points, each summing into a place of its own.
    const bool by_channel = cg >= 4 * step * workers || s.groups >= workers;
    const long tasks = s.groups >= workers ? s.groups : workers, shares = by_channel ? 1 : tasks;
    const Temporary<T> sums((by_channel ? s.groups : shares * s.groups) * k * og);
    parallel(by_channel && s.groups < workers ? workers * s.groups
             : by_channel                     ? s.groups
                                              : shares * s.groups,
             [&](long t, int) {
                 const long g = t % s.groups, share = t / s.groups;
                 const bool split_channels = by_channel && s.groups < workers;
                 const long c_first = split_channels ? cg * share / workers : 0, c_last = split_channels ? cg * (share + 1) / workers : cg;
                 const long q_first = by_channel ? 0 : total * share / shares, q_last = by_channel ? total : total * (share + 1) / shares;
                 T* sum = sums + ((by_channel ? 0 : share * s.groups) + g) * k * og;
                 if (q_first == q_last)
                     std::memset(sum + c_first * s.taps() * og, 0, sizeof(T) * size_t((c_last - c_first) * s.taps() * og));
                 for (long q = q_first; q < q_last; q += POINTS) {
                     const long count = std::min(POINTS, q_last - q);
                     T* turned = scratch<T>(SLOT_1, POINTS * width);  // dy of these points, a row for each: panels of output channels
                     by_image<T>(s, q, count, [&](long place, long image, long at, long length) {
                         const Matrix<T> part{dy + (image * s.o + g * og) * points + at, 1, points};
                         for (long p = 0; p < width / N; p++) {
                             T* panel = turned + p * POINTS * N + place * N - p * length * N;  // pack() puts panel p at p * length * N
                             pack(part, length, og, panel, p, p + 1);
                         }
                     });
                     for (long c = c_first; c < c_last; c += step) {
                         const long channels = std::min(step, c_last - c), rows = channels * s.taps();
                         T* columns = scratch<T>(SLOT_2, rows * POINTS);
                         fill_columns<T, POINTS>(s, x, g * cg + c, channels, q, count, columns, POINTS, 0);
                         block(rows, og, count, Matrix<T>{columns, POINTS, 1}, Panels<T>{turned, N, POINTS * N}, sum + c * s.taps() * og,
                               og, q > q_first);
                     }
                 }
             });
    for (long g = 0; g < s.groups; g++) sum_turned(sums + g * k * og, s.groups * k * og, shares, k, og, dw + g * og * k);
}

#define INSTANCES(T)                                                                      \
    template void columns_forward<T>(const ConvShape&, const T*, const T*, const T*, T*); \
    template void columns_input_grad<T>(const ConvShape&, const T*, const T*, T*);        \
    template void columns_weight_grad<T>(const ConvShape&, const T*, const T*, T*);
INSTANCES(float)
INSTANCES(double)

}  // namespace dovetail::ISA
