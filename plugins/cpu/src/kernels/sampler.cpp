// Some places at a time: first the pixels around all of them, then plane by plane.
#include "sampler.h"

#include <algorithm>

#include "../pool.h"
#include "corners.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

// Into the image, as the padding says: the places in pixels, and by how much they move with the grid. What is no number counts as 0
// where there is a padding.
template <class T, Outside PADDING>
void in_image(const Sampler<T>& s, long size, const T* __restrict grid, long n, T* __restrict place, T* __restrict slope) {
    const T last = T(size - 1), span = s.corners ? last : T(size), scale = span * T(0.5), shift = s.corners ? T(0) : T(-0.5);
    const T both = 2 * span, low = shift;
    for (long k = 0; k < n; k++) {
        T v = fused(grid[2 * k] + T(1), scale, shift), moves = scale;
        if constexpr (PADDING == Outside::reflection) {
            moves = v < low ? -moves : moves;
            const T away = std::abs(v - low), left = away - std::floor(away / both) * both, right = both - left;
            moves = left > span ? -moves : moves;
            v = (left > span ? right : left) + low;
        }
        if constexpr (PADDING != Outside::zeros) {
            moves = v > T(0) && v < last ? moves : T(0);
            v = v > T(0) ? v : T(0);
            v = v < last ? v : last;
        }
        place[k] = v, slope[k] = moves;
    }
}

template <class T> struct Places {
    T x[SOME], y[SOME], along[SOME], down[SOME];  // in pixels, and how they move
    Corners<T> c;

    // Of the places j .. j + n of an image's grid.
    void find(const Sampler<T>& s, long image, long j, long n) {
        const T* grid = s.grid + 2 * (image * s.oh * s.ow + j);
        const auto into = s.outside == Outside::zeros    ? in_image<T, Outside::zeros>
                          : s.outside == Outside::border ? in_image<T, Outside::border>
                                                         : in_image<T, Outside::reflection>;
        into(s, s.w, grid, n, x, along);
        into(s, s.h, grid + 1, n, y, down);
        if (!s.nearest) return around(x, y, n, s.w, s.h, c);
        const int32_t width = int32_t(s.w), height = int32_t(s.h);
        for (long k = 0; k < n; k++) {
            const int32_t across = int32_t(held(std::nearbyint(x[k]), T(s.w))), below = int32_t(held(std::nearbyint(y[k]), T(s.h)));
            c.at[0][k] = (below * width + across) | ~inside(across, below, width, height);
        }
    }
};

// f(image, first place, places, the planes of the image from .. to): `planes` of all images, each with all places.
template <class T, class F> void over(const Sampler<T>& s, long p, long end, F&& f) {
    const long places = s.oh * s.ow;
    Places<T> at;
    while (p < end) {
        const long image = p / s.channels, until = std::min(end, (image + 1) * s.channels);
        for (long j = 0; j < places; j += SOME) {
            const long n = std::min(SOME, places - j);
            at.find(s, image, j, n);
            f(at, j, n, p, until);
        }
        p = until;
    }
}

// What a row reads of a plane, and its gradient by the places; functions of their own, whose arrays do not overlap.
template <class T> void copies(const Corners<T>& __restrict c, long n, const T* __restrict plane, T* __restrict out) {
    for (long k = 0; k < n; k++) out[k] = pixel(plane, c.at[0][k]);
}
template <class T> void means(const Corners<T>& __restrict c, long n, const T* __restrict plane, T* __restrict out) {
    for (long k = 0; k < n; k++) {
        const T a = pixel(plane, c.at[0][k]), b = pixel(plane, c.at[1][k]), u = pixel(plane, c.at[2][k]), v = pixel(plane, c.at[3][k]);
        out[k] = a * c.weight[0][k] + b * c.weight[1][k] + u * c.weight[2][k] + v * c.weight[3][k];
    }
}
template <class T> void slopes(const Corners<T>& __restrict c, long n, const T* __restrict plane, const T* __restrict g,
                               T* __restrict across, T* __restrict down) {
    for (long k = 0; k < n; k++) {
        const T a = pixel(plane, c.at[0][k]), b = pixel(plane, c.at[1][k]), u = pixel(plane, c.at[2][k]), v = pixel(plane, c.at[3][k]);
        across[k] += g[k] * ((b - a) * (T(1) - c.lower[k]) + (v - u) * c.lower[k]);
        down[k] += g[k] * ((u - a) * (T(1) - c.right[k]) + (v - b) * c.right[k]);
    }
}

template <class T> void read(const Sampler<T>& s, T* out) {
    const long places = s.oh * s.ow, blocks = (places + SOME - 1) / SOME;
    parallel_range(s.images * blocks, std::max(1L, 8192 / (SOME * s.channels)), [&](long b, long end) {
        Places<T> at;
        for (; b < end; b++) {
            const long image = b / blocks, j = b % blocks * SOME, n = std::min(SOME, places - j);
            at.find(s, image, j, n);
            for (long p = image * s.channels; p < (image + 1) * s.channels; p++) {
                const T* plane = s.image + p * s.h * s.w;
                T* row = out + p * places + j;
                s.nearest ? copies(at.c, n, plane, row) : means(at.c, n, plane, row);
            }
        }
    });
}

template <class T> void image_grad(const Sampler<T>& s, const T* g, T* out) {
    const long places = s.oh * s.ow, pixels = s.h * s.w;
    parallel_range(s.images * s.channels, std::max(1L, 4096 / std::max(places, pixels)), [&](long first, long end) {
        std::fill(out + first * pixels, out + end * pixels, T(0));
        over(s, first, end, [&](const Places<T>& at, long j, long n, long p, long until) {
            for (; p < until; p++) {
                const T* row = g + p * places + j;
                T* plane = out + p * pixels;
                for (long k = 0; k < n; k++)
                    for (int corner = 0; corner < (s.nearest ? 1 : 4); corner++) {
                        const int32_t to = at.c.at[corner][k];
                        if (to >= 0) plane[to] += s.nearest ? row[k] : row[k] * at.c.weight[corner][k];
                    }
            }
        });
    });
}

template <class T> void grid_grad(const Sampler<T>& s, const T* g, T* out) {
    const long places = s.oh * s.ow, blocks = (places + SOME - 1) / SOME;
    parallel_range(s.images * blocks, std::max(1L, 4096 / (SOME * s.channels)), [&](long b, long end) {
        Places<T> at;
        T across[SOME], down[SOME];
        for (; b < end; b++) {
            const long image = b / blocks, j = b % blocks * SOME, n = std::min(SOME, places - j);
            T* to = out + 2 * (image * places + j);
            std::fill(to, to + 2 * n, T(0));
            if (s.nearest) continue;
            at.find(s, image, j, n);
            std::fill(across, across + n, T(0)), std::fill(down, down + n, T(0));
            for (long p = image * s.channels; p < (image + 1) * s.channels; p++)
                slopes(at.c, n, s.image + p * s.h * s.w, g + p * places + j, across, down);
            for (long k = 0; k < n; k++) {
                to[2 * k] = at.along[k] == T(0) ? T(0) : across[k] * at.along[k];
                to[2 * k + 1] = at.down[k] == T(0) ? T(0) : down[k] * at.down[k];
            }
        }
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> SamplerKernels<T> sampler_kernels<T>() { return {read<T>, image_grad<T>, grid_grad<T>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
