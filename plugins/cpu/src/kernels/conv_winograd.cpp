// Convolution with 3x3 kernels by Winograd's transforms F(4x4, 3x3): Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2015. Tiles of 6x6 inputs give 4x4 outputs; the products are 36 matrix products, one for each place in a tile.
//
// Inside, images are channels-last, so that a vector holds channels; channels are filled up with zeros to whole vectors. Each task
// turns the rows that its tiles read.
#include "../allocator.h"
#include "../pool.h"
#include "conv.h"
#include "table.h"
#include "tile.h"

namespace dovetail::ISA {
namespace {

using V = Vec<float>;
constexpr long W = WIDTH<float>, N = TILE_COLUMNS<float>;
constexpr int PLACES = 36;

long whole(long n, long unit) { return (n + unit - 1) / unit * unit; }

// The transforms in one direction, on vectors `s` apart to vectors `t` apart.
// Bᵀ d: six inputs.
INLINE void input_transform(const V* d, long s, V* o, long t) {
    V a = d[4 * s] - 4.f * d[2 * s], b = d[3 * s] - 4.f * d[s], c = d[4 * s] - d[2 * s], e = 2.f * (d[3 * s] - d[s]);
    o[0] = 4.f * d[0] - 5.f * d[2 * s] + d[4 * s];
    o[t] = a + b, o[2 * t] = a - b, o[3 * t] = c + e, o[4 * t] = c - e;
    o[5 * t] = 4.f * d[s] - 5.f * d[3 * s] + d[5 * s];
}
// Aᵀ m: six products to four outputs.
INLINE void output_transform(const V* m, long s, V* o, long t) {
    V a = m[s] + m[2 * s], b = m[s] - m[2 * s], c = m[3 * s] + m[4 * s], e = m[3 * s] - m[4 * s];
    o[0] = m[0] + a + c, o[t] = b + 2.f * e, o[2 * t] = a + 4.f * c, o[3 * t] = b + 8.f * e + m[5 * s];
}
// A y: four output gradients to six.
INLINE void grad_transform(const V* y, long s, V* o, long t) {
    V a = y[0] + y[2 * s], b = y[s] + y[3 * s], c = y[0] + 4.f * y[2 * s], e = 2.f * y[s] + 8.f * y[3 * s];
    o[0] = y[0], o[t] = a + b, o[2 * t] = a - b, o[3 * t] = c + e, o[4 * t] = c - e, o[5 * t] = y[3 * s];
}
// G g: three weights to six.
INLINE void weight_transform(const V* g, long s, V* o, long t) {
    V a = g[0] + g[2 * s], b = g[0] * (1 / 24.f) + g[2 * s] * (1 / 6.f), c = g[s] * (1 / 12.f);
    o[0] = g[0] * .25f, o[t] = -(a + g[s]) * (1 / 6.f), o[2 * t] = -(a - g[s]) * (1 / 6.f), o[3 * t] = b + c, o[4 * t] = b - c,
    o[5 * t] = g[2 * s];
}
// Gᵀ u: six weight gradients to three.
INLINE void weight_grad_transform(const V* u, long s, V* o, long t) {
    V a = u[s] + u[2 * s], b = u[2 * s] - u[s], c = u[3 * s] + u[4 * s], e = u[3 * s] - u[4 * s];
    o[0] = .25f * u[0] - a * (1 / 6.f) + c * (1 / 24.f), o[t] = b * (1 / 6.f) + e * (1 / 12.f);
    o[2 * t] = (c - a) * (1 / 6.f) + u[5 * s];
}

// What the three passes share: an image of `c` channels convolved to `o` of them.
struct Plan {
    long n, c, h, w, o, oh, ow, ph, pw, rows, columns, tiles, in, out;
    Plan(long n, long c, long h, long w, long o, long oh, long ow, long ph, long pw)
        : n(n),
          c(c),
          h(h),
          w(w),
          o(o),
          oh(oh),
          ow(ow),
          ph(ph),
          pw(pw),
          rows((oh + 3) / 4),
          columns((ow + 3) / 4),
          tiles(n * rows * columns),
          in(whole(c, W)),
          out(whole(o, W)) {}
};

// Some rows of images, counted through all images, channels-last: row r is at p + (r - first) * width * channels filled up.
struct Rows {
    const float* p;
    long first;
};

// Rows of images (n, channels, height, width), turned: a task turns those of its tiles, which then are in its cache.
Rows turn_rows(const float* x, long channels, long height, long width, long first, long last) {
    const long filled = whole(channels, W);
    float* to = scratch<float>(SLOT_1, (last - first) * width * filled);
    for (long r = first, rows; r < last; r += rows) {
        rows = std::min(height - r % height, last - r);
        for (long c = 0; c < filled; c += W) {
            const long here = std::min(W, channels - c), points = rows * width, plane = height * width;
            const float* from = x + (r / height * channels + c) * plane + r % height * width;
            float* out = to + (r - first) * width * filled + c;
            for (long p = 0; p < points; p += W) {
                const long some = std::min(W, points - p);
                V square[W];
                for (int i = 0; i < W; i++)
                    square[i] = i < here ? (some == W ? load(from + i * plane + p) : load(from + i * plane + p, some)) : V{};
                transpose<float>(square);
                for (int i = 0; i < some; i++) store(out + (p + i) * filled, square[i]);
            }
        }
    }
    return {to, first};
}

// Those that the tiles [first, last) read of the image, and of the gradient.
Rows input_rows(const Plan& g, const float* x, long first, long last) {
    const long a = first / g.columns, b = (last - 1) / g.columns;
    const long from = a / g.rows * g.h + std::max(0L, a % g.rows * 4 - g.ph),
               end = b / g.rows * g.h + std::min(g.h, b % g.rows * 4 - g.ph + 6);
    return turn_rows(x, g.c, g.h, g.w, from, end);
}
Rows grad_rows(const Plan& g, const float* dy, long first, long last) {
    const long a = first / g.columns, b = (last - 1) / g.columns;
    return turn_rows(dy, g.o, g.oh, g.ow, a / g.rows * g.oh + a % g.rows * 4, b / g.rows * g.oh + std::min(g.oh, b % g.rows * 4 + 4));
}

// A tile of the image to V: place p at v + p * apart.
INLINE void transform_input(const Plan& g, const Rows& x, long tile, float* v, long apart) {
    alignas(64) static const float zeros[16] = {};
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns);
    const long y0 = at / g.columns * 4 - g.ph, x0 = at % g.columns * 4 - g.pw;
    const float* from[PLACES];
    long step[PLACES];
    for (int p = 0; p < PLACES; p++) {
        const long y = y0 + p / 6, xx = x0 + p % 6;
        const bool inside = y >= 0 && y < g.h && xx >= 0 && xx < g.w;
        from[p] = inside ? x.p + ((image * g.h + y - x.first) * g.w + xx) * g.in : zeros;
        step[p] = inside ? 1 : 0;
    }
    for (long c = 0; c < g.in; c += W) {
        V a[PLACES];
        for (int j = 0; j < 6; j++) {
            V d[6];
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) d[i] = load(from[i * 6 + j] + c * step[i * 6 + j]);
            input_transform(d, 1, a + j, 6);
        }
        for (int i = 0; i < 6; i++) {
            V o[6];
            input_transform(a + 6 * i, 1, o, 1);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) store(v + (i * 6 + j) * apart + c, o[j]);
        }
    }
}

// A tile of the gradient to Z.
INLINE void transform_grad(const Plan& g, const Rows& dy, long tile, float* z, long apart) {
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns), y0 = at / g.columns * 4, x0 = at % g.columns * 4;
    const long tall = std::min(4L, g.oh - y0), wide = std::min(4L, g.ow - x0);
    const float* from = dy.p + ((image * g.oh + y0 - dy.first) * g.ow + x0) * g.out;
    for (long c = 0; c < g.out; c += W) {
        V a[24];
        for (int j = 0; j < 4; j++) {
            V d[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) d[i] = i < tall && j < wide ? load(from + (i * g.ow + j) * g.out + c) : V{};
            grad_transform(d, 1, a + j, 4);
        }
        for (int i = 0; i < 6; i++) {
            V o[6];
            grad_transform(a + 4 * i, 1, o, 1);
#pragma GCC unroll 6
            for (int j = 0; j < 6; j++) store(z + (i * 6 + j) * apart + c, o[j]);
        }
    }
}

// The products M of a tile for the output channels [first, last) to its outputs, in planes: (image, o, oh, ow).
INLINE void transform_output(const Plan& g, const float* m, long apart, long tile, long first, long last, const float* bias, float* y) {
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns), y0 = at / g.columns * 4, x0 = at % g.columns * 4;
    const long tall = std::min(4L, g.oh - y0), wide = std::min(4L, g.ow - x0), plane = g.oh * g.ow;
    for (long c = first; c < last; c += W) {
        const long here = std::min(W, last - c);
        V a[24], o[16];
        for (int j = 0; j < 6; j++) {
            V d[6];
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) d[i] = load(m + (i * 6 + j) * apart + c - first);
            output_transform(d, 1, a + j, 6);
        }
        const V b = bias ? (here == W ? load(bias + c) : load(bias + c, here)) : V{};
        for (int i = 0; i < 4; i++) {
            output_transform(a + 6 * i, 1, o + 4 * i, 1);
            for (int j = 0; j < 4; j++) o[4 * i + j] += b;
        }
        float* to = y + (image * g.o + c) * plane + y0 * g.ow + x0;
        alignas(64) float points[W][16];  // turned: for each channel its 4x4 outputs
        for (int p = 0; p < 16; p += W) {
            V square[W];
#pragma GCC unroll 16
            for (int i = 0; i < W; i++) square[i] = o[p + i];
            transpose<float>(square);
#pragma GCC unroll 16
            for (int i = 0; i < W; i++) store(points[i] + p, square[i]);
        }
        typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
        for (long k = 0; k < here; k++)
            for (long i = 0; i < tall; i++) {
                float* row = to + k * plane + i * g.ow;
                if (wide == 4) *reinterpret_cast<four*>(row) = *reinterpret_cast<four*>(points[k] + 4 * i);
                else
                    for (long j = 0; j < wide; j++) row[j] = points[k][4 * i + j];
            }
    }
}

// The weights (o, c, 3, 3). TURNED: for the input's gradient, where o are the inputs and c the results, and the kernel is
// turned by half a circle.
template <bool TURNED> struct Weights {
    const float* w;
    long o, c;

    // U for a vector of results from r0 on and the inputs [k0, k0 + depth), a row of N for each: place p at to + p * apart.
    void transform(long r0, long k0, long depth, float* to, long apart) const {
        const long inputs = TURNED ? o : c, results = TURNED ? c : o, here = std::min(W, results - r0), most = std::min(9L, W);
        for (long k = k0; k < k0 + depth; k++) {
            V g[9] = {}, a[18], out[PLACES], square[W];
            if (k < inputs && here > 0) {
                auto nine = [&](long i) { return w + (TURNED ? k * c + r0 + i : (r0 + i) * c + k) * 9; };
                for (int i = 0; i < W; i++) square[i] = i < here ? load(nine(i), most) : V{};
                transpose<float>(square);
                for (int q = 0; q < most; q++) g[TURNED ? 8 - q : q] = square[q];
                for (long q = most; q < 9; q++)
                    for (int i = 0; i < here; i++) g[TURNED ? 8 - q : q][i] = nine(i)[q];
            }
            for (int j = 0; j < 3; j++) weight_transform(g + j, 3, a + j, 3);
            for (int i = 0; i < 6; i++) weight_transform(a + 3 * i, 1, out + 6 * i, 1);
#pragma GCC unroll 36
            for (int p = 0; p < PLACES; p++) store(to + p * apart + (k - k0) * N, out[p]);
        }
    }
};

constexpr long DEPTH = 256;  // input channels multiplied at a time

// Each thread takes some tiles through all three steps, in its cache; it needs all weights, transformed before.
template <bool TURNED>
void by_tiles(const Plan& g, long some, const float* x, const Weights<TURNED>& weights, const float* bias, float* y) {
    const long panels = panels_of<float>(g.o), panel = g.in * N, place = panels * panel, v_row = g.in + W, m_row = whole(g.o, N) + W;
    const Temporary<float> u(PLACES * place);
    parallel(panels * TILE_VECTORS * (g.in / W), [&](long t, int) {
        const long r = t % (panels * TILE_VECTORS) * W, k = t / (panels * TILE_VECTORS) * W;
        weights.transform(r, k, W, u + r / N * panel + r % N + k * N, place);
    });
    const long blocks = whole((g.tiles + some - 1) / some, threads()), most = (g.tiles + blocks - 1) / blocks + 1;
    parallel(blocks, [&](long b, int) {
        const long first = g.tiles * b / blocks, count = g.tiles * (b + 1) / blocks - first;
        if (!count) return;
        float* v = scratch<float>(SLOT_3, PLACES * most * v_row);
        float* m = scratch<float>(SLOT_4, PLACES * most * m_row);
        const Rows rows = input_rows(g, x, first, first + count);
        for (long t = 0; t < count; t++) transform_input(g, rows, first + t, v + t * v_row, most * v_row);
        for (int p = 0; p < PLACES; p++)
            for (long k = 0; k < g.in; k += DEPTH)
                block(count, g.o, std::min(DEPTH, g.in - k), Matrix<float>{v + p * most * v_row + k, v_row, 1},
                      Panels<float>{u + p * place + k * N, N, panel}, m + p * most * m_row, m_row, k > 0);
        for (long t = 0; t < count; t++) transform_output(g, m + t * m_row, most * m_row, first + t, 0, g.o, bias, y);
    });
}

// Each thread takes a panel of output channels for all tiles: its part of the weights is transformed in its cache and used once.
template <bool TURNED> void by_panels(const Plan& g, const float* x, const Weights<TURNED>& weights, const float* bias, float* y) {
    const long v_row = g.in + W, m_row = N + W;
    const Temporary<float> v(PLACES * g.tiles * v_row);
    parallel_range(g.tiles, 2, [&](long t, long end) {
        const Rows rows = input_rows(g, x, t, end);
        for (; t < end; t++) transform_input(g, rows, t, v + t * v_row, g.tiles * v_row);
    });
    parallel(panels_of<float>(g.o), [&](long q, int) {
        const long first = q * N, last = std::min(g.o, first + N);
        float* u = scratch<float>(SLOT_3, PLACES * DEPTH * N);
        float* m = scratch<float>(SLOT_4, PLACES * g.tiles * m_row);
        for (long k = 0; k < g.in; k += DEPTH) {
            const long depth = std::min(DEPTH, g.in - k);
            for (long r = 0; r < N; r += W) weights.transform(first + r, k, depth, u + r, depth * N);
            for (int p = 0; p < PLACES; p++)
                block(g.tiles, last - first, depth, Matrix<float>{v + p * g.tiles * v_row + k, v_row, 1},
                      Panels<float>{u + p * depth * N, N, 0}, m + p * g.tiles * m_row, m_row, k > 0);
        }
        for (long t = 0; t < g.tiles; t++) transform_output(g, m + t * m_row, g.tiles * m_row, t, first, last, bias, y);
    });
}

template <bool TURNED> void convolve(const Plan& g, const float* x, const Weights<TURNED>& weights, const float* bias, float* y) {
    long some = std::max(28L, 1200000 / (PLACES * 4 * (g.in + g.out)) / TILE_ROWS * TILE_ROWS);  // tiles that fit the cache
    if (g.c * g.o >= 128 * 128) some = std::max(some, 70L);
    if (g.tiles < some * threads() * 2 && g.c * g.o > 128 * 128) by_panels(g, x, weights, bias, y);
    else by_tiles(g, some, x, weights, bias, y);
}

// The gradients D of the transformed weights, for channels [c0, c1) and results [o0, o1), back to the weights': D of place p and
// channel c at d + p * apart + (c - c0) * row, summed over `shares` of PLACES places each.
void weights_back(const Plan& g, const float* d, long apart, long row, long shares, long c0, long c1, long o0, long o1, float* dw,
                  bool add) {
    for (long c = c0; c < c1; c++)
        for (long o = o0; o < o1; o += W) {
            V u[PLACES], t[18], r[9], square[W];
            for (int p = 0; p < PLACES; p++) {
                u[p] = load(d + p * apart + (c - c0) * row + o - o0);
                for (long share = 1; share < shares; share++) u[p] += load(d + (share * PLACES + p) * apart + (c - c0) * row + o - o0);
            }
            for (int j = 0; j < 6; j++) weight_grad_transform(u + j, 6, t + j, 6);
            for (int i = 0; i < 3; i++) weight_grad_transform(t + 6 * i, 1, r + 3 * i, 1);
            const long most = std::min(9L, W);
            for (int q = 0; q < W; q++) square[q] = q < most ? r[q] : V{};
            transpose<float>(square);
            for (long k = 0; k < std::min(W, o1 - o); k++) {
                float* to = dw + ((o + k) * g.c + c) * 9;
                store(to, add ? load(to, most) + square[k] : square[k], most);
                for (long q = most; q < 9; q++) to[q] = r[q][k] + (add ? to[q] : 0.f);
            }
        }
}

}  // namespace

void winograd_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y) {
    convolve<false>(Plan(s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.ph, s.pw), x, {w, s.o, s.c}, bias, y);
}

void winograd_input_grad(const ConvShape& s, const float* dy, const float* w, float* dx) {
    convolve<true>(Plan(s.n, s.o, s.oh, s.ow, s.c, s.h, s.w, 2 - s.ph, 2 - s.pw), dy, {w, s.o, s.c}, nullptr, dx);
}

void winograd_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw) {
    const Plan g(s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.ph, s.pw);
    const long wide = whole(g.o, N), v_row = g.in + W, z_row = wide + W, workers = threads(), size = g.c * wide;
    // D[place] = Σ over tiles of Vᵀ Z. Few channels: each thread sums its tiles; many: parts of the channels are shared out.
    const bool by_tiles = g.c * g.o <= 64 * 64;
    const long most = by_tiles ? 56 : std::clamp(24000000 / (PLACES * 4 * (g.in + g.out)), 64L, std::max(g.tiles, 64L));
    auto transform = [&](long first, long count, float* v, float* z) {
        const Rows inputs = input_rows(g, x, first, first + count);
        for (long t = 0; t < count; t++) transform_input(g, inputs, first + t, v + t * v_row, most * v_row);
        const Rows grads = grad_rows(g, dy, first, first + count);
        for (long t = 0; t < count; t++) {
            transform_grad(g, grads, first + t, z + t * z_row, most * z_row);
            for (int p = 0; p < PLACES; p++)
                for (long j = g.out; j < wide; j += W) store(z + t * z_row + p * most * z_row + j, V{});
        }
    };
    if (by_tiles) {
        const Temporary<float> d(workers * PLACES * size);
        parallel(workers, [&](long share, int) {
            float *v = scratch<float>(SLOT_3, PLACES * most * v_row), *z = scratch<float>(SLOT_4, PLACES * most * z_row),
                  *sum = d + share * PLACES * size;
            const long first = g.tiles * share / workers, last = g.tiles * (share + 1) / workers;
            if (first == last) std::memset(sum, 0, sizeof(float) * size_t(PLACES * size));
            for (long t = first; t < last; t += most) {
                const long count = std::min(most, last - t);
                transform(t, count, v, z);
                for (int p = 0; p < PLACES; p++)
                    block(g.c, g.o, count, Matrix<float>{v + p * most * v_row, 1, v_row}, Panels<float>{z + p * most * z_row, z_row, N},
                          sum + p * size, wide, t > first);
            }
        });
        parallel_range(g.c, std::max(1L, 2048 / g.o), [&](long first, long last) {
            weights_back(g, d + first * wide, size, wide, workers, first, last, 0, g.o, dw, false);
        });
        return;
    }
    constexpr long PART = 64;  // channels of either side at a time: their D stays in cache
    const Temporary<float> v(PLACES * most * v_row), z(PLACES * most * z_row);
    for (long t = 0; t < g.tiles; t += most) {
        const long count = std::min(most, g.tiles - t), parts = (g.c + PART - 1) / PART;
        parallel_range(count, 2, [&](long a, long b) { transform(t + a, b - a, v + a * v_row, z + a * z_row); });
        parallel((g.o + PART - 1) / PART * parts, [&](long q, int) {
            const long o0 = q / parts * PART, o1 = std::min(g.o, o0 + PART), c0 = q % parts * PART, c1 = std::min(g.c, c0 + PART);
            float* d = scratch<float>(SLOT_3, PLACES * PART * PART);
            for (int p = 0; p < PLACES; p++)
                for (long k = 0; k < count; k += DEPTH)
                    block(c1 - c0, o1 - o0, std::min(DEPTH, count - k), Matrix<float>{v + (p * most + k) * v_row + c0, 1, v_row},
                          Panels<float>{z + (p * most + k) * z_row + o0, z_row, N}, d + p * PART * PART, PART, k > 0);
            weights_back(g, d, PART * PART, PART, 1, c0, c1, o0, o1, dw, t > 0);
        });
    }
}

}  // namespace dovetail::ISA
