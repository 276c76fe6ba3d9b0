// Convolution with 3x3 kernels by Winograd's transforms F(4x4, 3x3): Lavin and Gray, Fast Algorithms for Convolutional Neural
// Networks, 2015. Tiles of 6x6 inputs give 4x4 outputs; the products are 36 matrix products, one for each place in a tile.
//
// Inside, images are channels-last, so that a vector holds channels; channels are filled up with zeros to whole vectors.
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

// Images (count, channels, points) to (count, points, channels filled up), for whole and part tiles of the transposition.
void channels_last(const float* x, long count, long channels, long points, float* to) {
    const long filled = whole(channels, W);
    parallel_range(count * (filled / W), std::max(1L, 4096 / points), [&](long first, long last) {
        for (long q = first; q < last; q++) {
            const long image = q / (filled / W), c = q % (filled / W) * W, here = std::min(W, channels - c);
            const float* from = x + (image * channels + c) * points;
            float* out = to + image * points * filled + c;
            for (long p = 0; p < points; p += W) {
                const long some = std::min(W, points - p);
                V square[W];
                for (int i = 0; i < W; i++)
                    square[i] = i < here ? (some == W ? load(from + i * points + p) : load(from + i * points + p, some)) : V{};
                transpose<float>(square);
                for (int i = 0; i < some; i++) store(out + (p + i) * filled, square[i]);
            }
        }
    });
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

// A tile of the channels-last image x to V: place p at v + p * apart.
INLINE void transform_input(const Plan& g, const float* x, long tile, float* v, long apart) {
    alignas(64) static const float zeros[16] = {};
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns);
    const long y0 = at / g.columns * 4 - g.ph, x0 = at % g.columns * 4 - g.pw;
    const float* from[PLACES];
    long step[PLACES];
    for (int p = 0; p < PLACES; p++) {
        const long y = y0 + p / 6, xx = x0 + p % 6;
        const bool inside = y >= 0 && y < g.h && xx >= 0 && xx < g.w;
        from[p] = inside ? x + ((image * g.h + y) * g.w + xx) * g.in : zeros;
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

// A tile of the channels-last gradient to Z.
INLINE void transform_grad(const Plan& g, const float* dy, long tile, float* z, long apart) {
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns), y0 = at / g.columns * 4, x0 = at % g.columns * 4;
    const long tall = std::min(4L, g.oh - y0), wide = std::min(4L, g.ow - x0);
    const float* from = dy + ((image * g.oh + y0) * g.ow + x0) * g.out;
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

// The products M of a tile to its outputs, in planes: (image, o, oh, ow).
INLINE void transform_output(const Plan& g, const float* m, long apart, long tile, const float* bias, float* y) {
    const long image = tile / (g.rows * g.columns), at = tile % (g.rows * g.columns), y0 = at / g.columns * 4, x0 = at % g.columns * 4;
    const long tall = std::min(4L, g.oh - y0), wide = std::min(4L, g.ow - x0), plane = g.oh * g.ow;
    for (long c = 0; c < g.o; c += W) {
        const long here = std::min(W, g.o - c);
        V a[24], o[16];
        for (int j = 0; j < 6; j++) {
            V d[6];
#pragma GCC unroll 6
            for (int i = 0; i < 6; i++) d[i] = load(m + (i * 6 + j) * apart + c);
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

// Weights (o, c, 3, 3) to U: for each place, panels over the results, a row for each input channel. TURNED: for the input's
// gradient, where o are the inputs, c the results, and the kernel is turned by half a circle.
template <bool TURNED> void transform_weights(const float* w, long o, long c, float* u) {
    const long inputs = TURNED ? o : c, results = TURNED ? c : o, filled = whole(inputs, W), panels = panels_of<float>(results);
    const long panel = filled * N, place = panels * panel;
    parallel(panels * TILE_VECTORS * ((filled + W - 1) / W), [&](long t, int) {
        const long r0 = t % (panels * TILE_VECTORS) * W, k0 = t / (panels * TILE_VECTORS) * W;
        float* to = u + r0 / N * panel + r0 % N;
        for (long k = k0; k < k0 + W; k++) {
            float nine[9][W] = {};
            if (k < inputs)
                for (long r = r0; r < std::min(results, r0 + W); r++) {
                    const float* g = w + (TURNED ? k * c + r : r * c + k) * 9;
                    for (int q = 0; q < 9; q++) nine[q][r - r0] = g[TURNED ? 8 - q : q];
                }
            V g[9], a[18], out[PLACES];
            for (int q = 0; q < 9; q++) g[q] = load(nine[q]);
            for (int j = 0; j < 3; j++) weight_transform(g + j, 3, a + j, 3);
            for (int i = 0; i < 6; i++) weight_transform(a + 3 * i, 1, out + 6 * i, 1);
#pragma GCC unroll 36
            for (int p = 0; p < PLACES; p++) store(to + p * place + k * N, out[p]);
        }
    });
}

constexpr long DEPTH = 320;  // input channels multiplied at a time

void products(long m, long n, long k, const float* v, long v_row, const float* u, long panel, float* out, long out_row) {
    const long steps = (k + DEPTH - 1) / DEPTH;
    for (long s = 0; s < steps; s++) {
        const long first = k * s / steps, depth = k * (s + 1) / steps - first;
        block(m, n, depth, Matrix<float>{v + first, v_row, 1}, Panels<float>{u + first * N, N, panel}, out, out_row, s > 0);
    }
}

void convolve(const Plan& g, const float* x, const float* u, const float* bias, float* y) {
    const long panel = g.in * N, place = panels_of<float>(g.o) * panel, v_row = g.in + W, m_row = whole(g.o, N) + W, workers = threads();
    // Few channels: each thread takes some tiles through all three steps, in its cache. Many: each step for all tiles, as the
    // weights then are too many to be read again for every few tiles.
    long some = std::max(28L, 1200000 / (PLACES * 4 * (g.in + g.out)) / TILE_ROWS * TILE_ROWS);
    if (g.c * g.o >= 128 * 128) some = std::max(some, 70L);
    if (g.tiles < some * workers * 2 && g.c * g.o > 128 * 128) {
        const Temporary<float> v(PLACES * g.tiles * v_row), m(PLACES * g.tiles * m_row);
        parallel_range(g.tiles, 2, [&](long t, long end) {
            for (; t < end; t++) transform_input(g, x, t, v + t * v_row, g.tiles * v_row);
        });
        const long panels = panels_of<float>(g.o), halves = panels >= 8 ? 2 : 1;
        parallel(PLACES * halves, [&](long q, int) {
            const long p = q % PLACES, half = q / PLACES, j = panels * half / halves * N,
                       end = std::min(g.o, panels * (half + 1) / halves * N);
            products(g.tiles, end - j, g.in, v + p * g.tiles * v_row, v_row, u + p * place + j / N * panel, panel,
                     m + p * g.tiles * m_row + j, m_row);
        });
        parallel_range(g.tiles, 2, [&](long t, long end) {
            for (; t < end; t++) transform_output(g, m + t * m_row, g.tiles * m_row, t, bias, y);
        });
        return;
    }
    const long blocks = whole((g.tiles + some - 1) / some, workers), most = (g.tiles + blocks - 1) / blocks + 1;
    parallel(blocks, [&](long b, int) {
        const long first = g.tiles * b / blocks, count = g.tiles * (b + 1) / blocks - first;
        if (!count) return;
        float* v = scratch<float>(SLOT_3, PLACES * most * v_row);
        float* m = scratch<float>(SLOT_4, PLACES * most * m_row);
        for (long t = 0; t < count; t++) transform_input(g, x, first + t, v + t * v_row, most * v_row);
        for (int p = 0; p < PLACES; p++)
            products(count, g.o, g.in, v + p * most * v_row, v_row, u + p * place, panel, m + p * most * m_row, m_row);
        for (long t = 0; t < count; t++) transform_output(g, m + t * m_row, most * m_row, first + t, bias, y);
    });
}

}  // namespace

// TURNED: the weights are those of the forward pass, and this is the way back.
template <bool TURNED> static void through_planes(const Plan& g, const float* x, const float* w, const float* bias, float* y) {
    const Temporary<float> last(g.n * g.h * g.w * g.in), u(PLACES * panels_size<float>(g.in, g.o));
    channels_last(x, g.n, g.c, g.h * g.w, last);
    transform_weights<TURNED>(w, TURNED ? g.c : g.o, TURNED ? g.o : g.c, u);
    convolve(g, last, u, bias, y);
}

void winograd_forward(const ConvShape& s, const float* x, const float* w, const float* bias, float* y) {
    through_planes<false>(Plan(s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.ph, s.pw), x, w, bias, y);
}

void winograd_input_grad(const ConvShape& s, const float* dy, const float* w, float* dx) {
    through_planes<true>(Plan(s.n, s.o, s.oh, s.ow, s.c, s.h, s.w, 2 - s.ph, 2 - s.pw), dy, w, nullptr, dx);
}

void winograd_weight_grad(const ConvShape& s, const float* x, const float* dy, float* dw) {
    const Plan g(s.n, s.c, s.h, s.w, s.o, s.oh, s.ow, s.ph, s.pw);
    const Temporary<float> x_last(g.n * g.h * g.w * g.in);
    channels_last(x, g.n, g.c, g.h * g.w, x_last);
    const Temporary<float> dy_last(g.n * g.oh * g.ow * g.out);
    channels_last(dy, g.n, g.o, g.oh * g.ow, dy_last);
    const long wide = whole(g.o, N), v_row = g.in + W, z_row = wide + W, workers = threads(), size = g.c * wide;
    // D[place] = Σ over tiles of Vᵀ Z. Few channels: each thread sums its tiles; many: the places are shared out.
    const bool shared = g.c * g.o <= 64 * 64;
    const long shares = shared ? workers : 1,
               most = shared ? 56 : std::clamp(24000000 / (PLACES * 4 * (g.in + g.out)), 64L, std::max(g.tiles, 64L));
    const Temporary<float> d(shares * PLACES * size);
    auto transform = [&](long first, long count, float* v, float* z) {
        for (long t = 0; t < count; t++) {
            transform_input(g, x_last, first + t, v + t * v_row, most * v_row);
            transform_grad(g, dy_last, first + t, z + t * z_row, most * z_row);
            for (int p = 0; p < PLACES; p++)
                for (long j = g.out; j < wide; j += W) store(z + t * z_row + p * most * z_row + j, V{});
        }
    };
    auto add = [&](long count, const float* v, const float* z, float* to, bool more) {
        block(g.c, g.o, count, Matrix<float>{v, 1, v_row}, Panels<float>{z, z_row, N}, to, wide, more);
    };
    if (shared) {
        parallel(shares, [&](long share, int) {
            float *v = scratch<float>(SLOT_4, PLACES * most * v_row), *z = scratch<float>(SLOT_5, PLACES * most * z_row),
                  *sum = d + share * PLACES * size;
            const long first = g.tiles * share / shares, last = g.tiles * (share + 1) / shares;
            if (first == last) std::memset(sum, 0, sizeof(float) * size_t(PLACES * size));
            for (long t = first; t < last; t += most) {
                const long count = std::min(most, last - t);
                transform(t, count, v, z);
                for (int p = 0; p < PLACES; p++) add(count, v + p * most * v_row, z + p * most * z_row, sum + p * size, t > first);
            }
        });
    } else {
        const Temporary<float> v(PLACES * most * v_row), z(PLACES * most * z_row);
        for (long t = 0; t < g.tiles; t += most) {
            const long count = std::min(most, g.tiles - t);
            parallel_range(count, 2, [&](long a, long b) { transform(t + a, b - a, v + a * v_row, z + a * z_row); });
            parallel(PLACES, [&](long p, int) {
                for (long k = 0; k < count; k += 256)
                    add(std::min(256L, count - k), v + (p * most + k) * v_row, z + (p * most + k) * z_row, d + p * size, t + k > 0);
            });
        }
    }
    parallel_range(g.c, std::max(1L, 2048 / g.o), [&](long first, long last) {
        for (long c = first; c < last; c++)
            for (long o = 0; o < g.o; o += W) {
                V u[PLACES], t[18], r[9];
                for (int p = 0; p < PLACES; p++) {
                    u[p] = load(d + p * size + c * wide + o);
                    for (long share = 1; share < shares; share++) u[p] += load(d + (share * PLACES + p) * size + c * wide + o);
                }
                for (int j = 0; j < 6; j++) weight_grad_transform(u + j, 6, t + j, 6);
                for (int i = 0; i < 3; i++) weight_grad_transform(t + 6 * i, 1, r + 3 * i, 1);
                for (long k = 0; k < std::min(W, g.o - o); k++)
                    for (int q = 0; q < 9; q++) dw[((o + k) * g.c + c) * 9 + q] = r[q][k];
            }
    });
}

}  // namespace dovetail::ISA
