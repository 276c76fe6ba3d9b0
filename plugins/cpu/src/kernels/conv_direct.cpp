// Convolution without columns. An image is copied between zeros once, cut into planes of the positions that a stride takes
// together; what a tap meets along a run of output points is then a run of memory, and serves as a row of the right factor
// where it lies. The points count through whole rows of a plane, so that a few at the end of each row are computed for nothing.
#include <algorithm>
#include <vector>

#include "../allocator.h"
#include "../pool.h"
#include "columns.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

constexpr long DEPTH = 256;     // runs at a time: with a panel's width they stay in the first cache
constexpr long POINTS = 1024;   // of a task, about
constexpr long HELD = 1 << 17;  // elements of the images whose weight gradients are summed together: they stay in the second cache

// Element (row, column) of plane (a, b) is (row * sh + a - top, column * sw + b - left) of the image, or 0 outside of it.
struct Cut {
    long height, width, sh, sw, top, left;
    long size() const { return height * width; }
    long all() const { return sh * sw * size(); }
};

template <class T> void cut(const Cut& c, const T* image, long h, long w, T* to) {
    for (long a = 0; a < c.sh; a++)
        for (long b = 0; b < c.sw; b++) {
            const long shift = b - c.left, last = std::clamp(w - 1 - shift < 0 ? 0 : (w - 1 - shift) / c.sw + 1, 0L, c.width),
                       first = std::min(last, shift < 0 ? (-shift + c.sw - 1) / c.sw : 0L);
            for (long row = 0; row < c.height; row++, to += c.width) {
                const long y = row * c.sh + a - c.top;
                const bool inside = y >= 0 && y < h && first < last;
                std::fill(to, to + (inside ? first : c.width), T(0));
                if (!inside) continue;
                gather_run(image + y * w + first * c.sw + shift, c.sw, to + first, last - first);
                std::fill(to + last, to + c.width, T(0));
            }
        }
}

// Of an output row on, `rows` of them: the planes that they need.
Cut cut_for(const ConvShape& s, long from, long rows) {
    return {rows + (s.kh - 1) * s.dh / s.sh, s.ow + (s.kw - 1) * s.dw / s.sw, s.sh, s.sw, s.ph - from * s.sh, s.pw};
}
// Where the run of each (channel, tap) begins.
std::vector<long> runs_for(const ConvShape& s, const Cut& c, long channels) {
    std::vector<long> runs;
    for (long i = 0; i < channels; i++)
        for (long ki = 0; ki < s.kh * s.dh; ki += s.dh)
            for (long kj = 0; kj < s.kw * s.dw; kj += s.dw)
                runs.push_back(i * c.all() + (ki % s.sh * s.sw + kj % s.sw) * c.size() + ki / s.sh * c.width + kj / s.sw);
    return runs;
}

// Rows of output for a task: a whole image where it is small, and where larger about POINTS, many beside those that tasks share.
long rows_of(long rows, long width, long shared, long images) {
    const long most = std::max({POINTS / std::max(width, 1L), 4 * shared, 1L});
    const long parts =
        std::max((rows + most - 1) / most, images < 2 * threads() ? std::min(2 * threads() / images, rows / (4 * shared + 1)) : 1L);
    return (rows + std::max(parts, 1L) - 1) / std::max(parts, 1L);
}

// out (m rows, ld apart) = A times the runs, `count` points long.
template <class T> void runs_product(long m, long count, long k, const T* a, const T* planes, const long* runs, T* out, long ld) {
    for (long p = 0; p < k; p += DEPTH)
        block(m, count, std::min(DEPTH, k - p), Matrix<T>{a + p, k, 1}, Panels<T>{planes, 0, TILE_COLUMNS<T>, runs + p}, out, ld, p > 0);
}
long apart(long count) { return (count + 15) / 16 * 16 + 16; }

// Room for the channels of a group, and the channels cut into it; there are zeros behind them, where whole vectors read on.
template <class T> long room(const Cut& c, long channels) { return channels * c.all() + TILE_COLUMNS<T>; }
template <class T> void cut_all(const Cut& c, long channels, const T* image, long h, long w, T* planes) {
    for (long i = 0; i < channels; i++) cut(c, image + i * h * w, h, w, planes + i * c.all());
    std::fill_n(planes + channels * c.all(), TILE_COLUMNS<T>, T(0));
}

}  // namespace

template <class T> void direct_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
    const long cg = s.c / s.groups, og = s.o / s.groups, k = cg * s.taps();
    const long rows = rows_of(s.oh, s.ow, (s.kh - 1) * s.dh / s.sh, s.n * s.groups), parts = (s.oh + rows - 1) / rows;
    const std::vector<long> runs = runs_for(s, cut_for(s, 0, rows), cg);
    parallel(s.n * s.groups * parts, [&](long t, int) {
        const long from = t % parts * rows, g = t / parts % s.groups, image = t / parts / s.groups, high = std::min(rows, s.oh - from);
        const Cut c = cut_for(s, from, rows);
        const Temporary<T> planes(room<T>(c, cg));
        cut_all<T>(c, cg, x + (image * s.c + g * cg) * s.h * s.w, s.h, s.w, planes);
        const long count = (high - 1) * c.width + s.ow, ld = apart(count);
        const Temporary<T> out(og * ld);
        runs_product<T>(og, count, k, w + g * og * k, planes, runs.data(), out, ld);
        for (long o = 0; o < og; o++)
            for (long row = 0; row < high; row++) {
                const T *line = out + o * ld + row * c.width, add = bias ? bias[g * og + o] : T(0);
                T* to = y + ((image * s.o + g * og + o) * s.oh + from + row) * s.ow;
                for (long j = 0; j < s.ow; j++) to[j] = line[j] + add;
            }
    });
}

// The input's elements that lie a stride apart meet the same taps: each such phase is a convolution of dy without a stride.
template <class T> void direct_input_grad(const ConvShape& s, const T* dy, const T* w, T* dx) {
    const long cg = s.c / s.groups, og = s.o / s.groups, phases = s.sh * s.sw;
    const long down = (s.kh - 1) * s.dh / s.sh, right = (s.kw - 1) * s.dw / s.sw;
    const long tall = (s.h - 1 + s.ph) / s.sh + 1, wide = (s.w - 1 + s.pw) / s.sw + 1;  // of a phase, with what the border cuts off
    const long rows = rows_of(tall, wide, down, s.n * s.groups), parts = (tall + rows - 1) / rows;
    auto cut_of = [&](long from) { return Cut{rows + down, wide + right, 1, 1, down - from, right}; };
    const Cut usual = cut_of(0);
    std::vector<std::vector<long>> runs(phases), taps(phases);
    for (long i = 0; i < s.kh; i++)
        for (long j = 0; j < s.kw; j++) taps[i * s.dh % s.sh * s.sw + j * s.dw % s.sw].push_back(i * s.kw + j);
    for (long phase = 0; phase < phases; phase++)
        for (long o = 0; o < og; o++)
            for (long tap : taps[phase])
                runs[phase].push_back(o * usual.size() + (down - tap / s.kw * s.dh / s.sh) * usual.width + right -
                                      tap % s.kw * s.dw / s.sw);
    // The weights of each phase, a row for each input channel.
    const Temporary<T> turned(s.o * cg * s.taps());
    std::vector<T*> of(s.groups * phases);
    T* place = turned;
    for (long g = 0; g < s.groups; g++)
        for (long phase = 0; phase < phases; phase++) {
            of[g * phases + phase] = place;
            for (long c = 0; c < cg; c++)
                for (long o = 0; o < og; o++)
                    for (long tap : taps[phase]) *place++ = w[((g * og + o) * cg + c) * s.taps() + tap];
        }
    parallel(s.n * s.groups * parts, [&](long t, int) {
        const long from = t % parts * rows, g = t / parts % s.groups, image = t / parts / s.groups, high = std::min(rows, tall - from);
        const Cut c = cut_of(from);
        const Temporary<T> planes(room<T>(c, og));
        cut_all<T>(c, og, dy + (image * s.o + g * og) * s.points(), s.oh, s.ow, planes);
        const long count = (high - 1) * c.width + wide, ld = apart(count);
        const Temporary<T> out(cg * ld);
        for (long phase = 0; phase < phases; phase++) {
            const long a = phase / s.sw, shift = phase % s.sw - s.pw;
            const long first = shift < 0 ? (-shift + s.sw - 1) / s.sw : 0;
            if (runs[phase].empty()) std::fill_n(static_cast<T*>(out), cg * ld, T(0));
            else runs_product<T>(cg, count, long(runs[phase].size()), of[g * phases + phase], planes, runs[phase].data(), out, ld);
            for (long i = 0; i < cg; i++)
                for (long row = 0; row < high; row++) {
                    const long at = (from + row) * s.sh + a - s.ph;
                    if (at < 0 || at >= s.h) continue;
                    const T* line = out + i * ld + row * c.width + first;
                    T* to = dx + ((image * s.c + g * cg + i) * s.h + at) * s.w + first * s.sw + shift;
                    const long n = first * s.sw + shift < s.w ? (s.w - 1 - first * s.sw - shift) / s.sw + 1 : 0;
                    if (s.sw == 1) std::copy_n(line, n, to);
                    else
                        for (long j = 0; j < n; j++) to[j * s.sw] = line[j];
                }
        }
    });
}

#if defined(__AVX512F__)
constexpr int OUTPUTS = 4, TAPS = 6;  // of a tile of weights, which stays in registers
#else
constexpr int OUTPUTS = 3, TAPS = 4;
#endif

// Sums over the points of `rows` rows of `images` images, for a tile of weights: dy of these output channels times these runs.
template <class T> static void weight_tile(const ConvShape& s, const Cut& c, long images, long rows, const T* const (&g)[OUTPUTS],
                                           const T* const (&x)[TAPS], long step, T (&sums)[OUTPUTS][TAPS]) {
    constexpr long W = WIDTH<T>;
    Vec<T> acc[OUTPUTS][TAPS] = {};
    auto add = [&](long at, long run, auto read) INLINE_LAMBDA {
        Vec<T> grads[OUTPUTS];
#pragma GCC unroll 4
        for (int i = 0; i < OUTPUTS; i++) grads[i] = read(g[i] + at);
#pragma GCC unroll 6
        for (int j = 0; j < TAPS; j++) {
            const Vec<T> v = read(x[j] + run);
#pragma GCC unroll 4
            for (int i = 0; i < OUTPUTS; i++) acc[i][j] += grads[i] * v;
        }
    };
    for (long image = 0; image < images; image++)
        for (long row = 0; row < rows; row++) {
            const long at = image * s.o * s.points() + row * s.ow, run = image * step + row * c.width;
            long j = 0;
            for (; j + W <= s.ow; j += W) add(at + j, run + j, [](const T* p) INLINE_LAMBDA { return load(p); });
            const long rest = s.ow - j;
            if (rest) add(at + j, run + j, [rest](const T* p) INLINE_LAMBDA { return load(p, rest); });
        }
    for (int i = 0; i < OUTPUTS; i++)
        for (int j = 0; j < TAPS; j++) sums[i][j] = sum<T>(acc[i][j]);
}

template <class T> void direct_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw) {
    const long cg = s.c / s.groups, og = s.o / s.groups, k = cg * s.taps();
    // Small images are summed several together, large ones in bands of rows.
    const long whole = cg * cut_for(s, 0, s.oh).all() + og * s.points(), shared = (s.kh - 1) * s.dh / s.sh;
    const long least = s.n < threads() ? (s.oh + threads() - 1) / threads() : s.oh;
    const long rows = std::clamp(std::min(s.oh * HELD / whole, least), std::min(2 * shared + 1, s.oh), s.oh);
    const long bands = (s.oh + rows - 1) / rows, most = bands > 1 ? 1 : std::clamp(HELD / whole, 1L, 64L), units = s.n * bands;
    const Cut usual = cut_for(s, 0, rows);
    const std::vector<long> runs = runs_for(s, usual, cg);
    const long step = cg * usual.all(), shares = std::min<long>(threads(), units);
    const Temporary<T> sums(shares * s.o * k);
    parallel(shares * s.groups, [&](long t, int) {
        const long g = t % s.groups, share = t / s.groups;
        T* to = sums + (share * s.groups + g) * og * k;
        const Temporary<T> planes(most * step);  // whose rows are read no further than they reach
        std::fill_n(to, og * k, T(0));
        for (long unit = units * share / shares, end = units * (share + 1) / shares; unit < end; unit += most) {
            const long images = std::min(most, end - unit), first = unit / bands, from = unit % bands * rows,
                       high = std::min(rows, s.oh - from);
            const Cut c = cut_for(s, from, rows);
            for (long i = 0; i < images * cg; i++)
                cut(c, x + ((first + i / cg) * s.c + g * cg + i % cg) * s.h * s.w, s.h, s.w, planes + i * c.all());
            const T* grads = dy + (first * s.o + g * og) * s.points() + from * s.ow;
            for (long p = 0; p < k; p += TAPS)
                for (long o = 0; o < og; o += OUTPUTS) {  // the last ones of a rest are computed more than once, and written once
                    const T *left[OUTPUTS], *right[TAPS];
                    T found[OUTPUTS][TAPS];
                    for (long i = 0; i < OUTPUTS; i++) left[i] = grads + std::min(o + i, og - 1) * s.points();
                    for (long j = 0; j < TAPS; j++) right[j] = planes + runs[std::min(p + j, k - 1)];
                    weight_tile(s, c, images, high, left, right, step, found);
                    for (long i = 0; i < std::min<long>(OUTPUTS, og - o); i++)
                        for (long j = 0; j < std::min<long>(TAPS, k - p); j++) to[(o + i) * k + p + j] += found[i][j];
                }
        }
    });
    for (long i = 0; i < s.o * k; i++) {
        T total = sums[i];
        for (long share = 1; share < shares; share++) total += sums[share * s.o * k + i];
        dw[i] = total;
    }
}

#define INSTANCES(T)                                                                     \
    template void direct_forward<T>(const ConvShape&, const T*, const T*, const T*, T*); \
    template void direct_input_grad<T>(const ConvShape&, const T*, const T*, T*);        \
    template void direct_weight_grad<T>(const ConvShape&, const T*, const T*, T*);
INSTANCES(float)
INSTANCES(double)

}  // namespace dovetail::ISA
