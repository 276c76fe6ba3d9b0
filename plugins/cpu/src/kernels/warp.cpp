// Bilinear reading, some pixels of a row at a time: first places and weights of all of them, then plane by plane.
#include "warp.h"

#include <type_traits>

#include "../pool.h"
#include "corners.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

template <class T> void normalized(const Warp<T>& s, long i, long j, long n, T* __restrict x, T* __restrict y) {
    if (s.grid) {
        const T* g = s.grid + 2 * (i * s.ow + j);
        for (long k = 0; k < n; k++) x[k] = g[2 * k], y[k] = g[2 * k + 1];
        return;
    }
    const T *m = s.numbers, down = T(i) + s.y0;
    const bool large = 6 * s.oh * s.ow >= 400;  // PyTorch's product of matrices rounds each step below 400 multiplications
    for (long k = 0; k < n; k++) {
        const T along = T(int32_t(j + k)) + s.x0;
        const auto row = [&](const T* r) {
            const T first = along * r[0];
            return (large ? fused(down, r[1], first) : first + down * r[1]) + r[2];
        };
        const T divisor = row(m + 6);
        x[k] = row(m) / divisor + s.shift;
        y[k] = row(m + 3) / divisor + s.shift;
    }
}

// The places in pixels; far outside, or no number, is a pixel or two outside.
template <class T> void in_pixels(const Warp<T>& s, T* __restrict x, T* __restrict y, long n) {
    const T w = T(s.w), h = T(s.h), half_w = w * T(0.5), half_h = h * T(0.5);
    for (long k = 0; k < n; k++) {
        x[k] = held(fused(x[k] + T(1), half_w, T(-0.5)), w);
        y[k] = held(fused(y[k] + T(1), half_h, T(-0.5)), h);
    }
}

template <class T, class Out> inline Out stored(T v) {
    if constexpr (std::is_same_v<Out, uint8_t>) return uint8_t(int32_t(std::nearbyint(v)));
    else return v;
}

template <class T> inline T counted(T weight, int32_t at) { return at < 0 ? T(0) : weight; }

template <class T, class Out, bool FILL>
void read(const Corners<T>& __restrict c, long n, const T* __restrict plane, T fill, Out* __restrict out) {
    for (long k = 0; k < n; k++) {
        const int32_t a = c.at[0][k], b = c.at[1][k], u = c.at[2][k], v = c.at[3][k];
        const T p = c.weight[0][k], q = c.weight[1][k], r = c.weight[2][k], s = c.weight[3][k];
        T found = fused(pixel(plane, v), s, fused(pixel(plane, u), r, fused(pixel(plane, b), q, pixel(plane, a) * p)));
        if constexpr (FILL) {
            const T cover = counted(p, a) + counted(q, b) + counted(r, u) + counted(s, v);
            found = found * cover + (T(1) - cover) * fill;
        }
        out[k] = stored<T, Out>(found);
    }
}

template <class T, class Out> void between(const Warp<T>& s, const T* image, Out* out) {
    parallel_range(s.oh, std::max(1L, 8192 / s.ow), [&](long i, long end) {
        T x[SOME], y[SOME];
        Corners<T> corners;
        for (; i < end; i++)
            for (long j = 0; j < s.ow; j += SOME) {
                const long n = std::min(SOME, s.ow - j);
                normalized(s, i, j, n, x, y);
                in_pixels(s, x, y, n);
                around(x, y, n, s.w, s.h, corners);
                for (long p = 0; p < s.planes; p++) {
                    const T* plane = image + p * s.h * s.w;
                    Out* row = out + (p * s.oh + i) * s.ow + j;
                    if (s.fill) read<T, Out, true>(corners, n, plane, s.fill[p], row);
                    else read<T, Out, false>(corners, n, plane, T(0), row);
                }
            }
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> WarpKernels<T> warp_kernels<T>() { return {between<T, T>, between<T, uint8_t>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
