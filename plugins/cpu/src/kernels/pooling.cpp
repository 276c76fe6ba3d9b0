// Pooling. A row of windows is taken tap by tap: each tap is a run of the input with a step, added to or compared with the
// row so far. Windows of 2x2 with a step of 2, the commonest, go through two rows at once.
#include "pooling.h"

#include <limits>

#include "../pool.h"
#include "columns.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

// For tap kj and a row of `ow` windows: the windows whose tap lies inside, and where the first of them reads.
INLINE bool span(const PoolShape& s, long kj, long& from, long& to, long& at) {
    const long x = kj * s.dw - s.pw;
    from = x < 0 ? (-x + s.sw - 1) / s.sw : 0;
    to = x >= s.w ? 0 : std::min(s.ow, (s.w - 1 - x) / s.sw + 1);
    at = x + from * s.sw;
    return from < to;
}

bool halves(const PoolShape& s) {
    const bool flat = s.d == 1 && s.kd == 1 && !s.ph && !s.pw && s.dh == 1 && s.dw == 1;
    return flat && s.kh == 2 && s.kw == 2 && s.sh == 2 && s.sw == 2 && s.oh * 2 <= s.h && s.ow * 2 <= s.w;
}

// Pairs of neighbours in `some` windows: the first and the second of each.
template <class T> INLINE void pairs(const T* p, long some, Vec<T>& even, Vec<T>& odd) {
    constexpr long W = WIDTH<T>;
    const Vec<T> a = 2 * some >= W ? load(p) : load(p, 2 * some), b = 2 * some >= 2 * W ? load(p + W)
                                                                      : 2 * some > W    ? load(p + W, 2 * some - W)
                                                                                        : Vec<T>{};
    even = every_second(a, b, std::make_integer_sequence<int, W>{});
    odd = [&]<int... I>(std::integer_sequence<int, I...>) {
        return __builtin_shufflevector(a, b, (2 * I + 1)...);
    }(std::make_integer_sequence<int, W>{});
}
// The other way: both of each window side by side.
template <class T> INLINE void put_pairs(T* p, long some, Vec<T> even, Vec<T> odd) {
    constexpr long W = WIDTH<T>;
    using Order = std::make_integer_sequence<int, W>;
    const Vec<T> a = zip_low(even, odd, Order{}), b = zip_high(even, odd, Order{});
    put(p, a, std::min(W, 2 * some));
    if (2 * some > W) put(p + W, b, 2 * some - W);
}

// Calls f(first window, how many, place) for each tap of row r of windows: those whose tap lies inside, and where the first of them
// reads, counted from the start of the volume.
template <class F> INLINE void each_tap(const PoolShape& s, long r, F f) {
    const long z0 = r / s.oh % s.od * s.sd - s.pd, y0 = r % s.oh * s.sh - s.ph;
    for (long k = 0; k < s.kd * s.kh; k++) {
        const long z = z0 + k / s.kh * s.dd, y = y0 + k % s.kh * s.dh;
        if (z < 0 || z >= s.d || y < 0 || y >= s.h) continue;
        for (long kj = 0, from, last, at; kj < s.kw; kj++)
            if (span(s, kj, from, last, at)) f(from, last - from, (z * s.h + y) * s.w + at);
    }
}

template <class T> void max(const PoolShape& s, const T* x, T* out) {
    constexpr long W = WIDTH<T>;
    const bool half = halves(s);
    parallel_range(s.planes * s.od * s.oh, std::max(1L, 8192 / (s.ow * s.kd * s.kh * s.kw)), [&](long r, long end) {
        T* line = scratch<T>(SLOT_1, s.ow);
        for (; r < end; r++) {
            const T* volume = x + r / (s.oh * s.od) * s.d * s.h * s.w;
            T* to = out + r * s.ow;
            if (half) {
                const long oy = r % s.oh;
                const T* p = volume + 2 * oy * s.w;
                for (long j = 0; j < s.ow; j += W) {
                    const long some = std::min(W, s.ow - j);
                    Vec<T> a, b, c, d;
                    pairs(p + 2 * j, some, a, b), pairs(p + s.w + 2 * j, some, c, d);
                    put(to + j, greater<T>(greater<T>(a, b), greater<T>(c, d)), some);
                }
                continue;
            }
            for (long j = 0; j < s.ow; j++) to[j] = -std::numeric_limits<T>::infinity();
            each_tap(s, r, [&](long from, long many, long at) INLINE_LAMBDA {
                gather_run(volume + at, s.sw, line, many);
                for (long j = 0; j < many; j += W) {
                    const long some = std::min(W, many - j);
                    put(to + from + j, greater<T>(part(to + from + j, some), part(line + j, some)), some);
                }
            });
        }
    });
}

template <class T> void max_grad(const PoolShape& s, const T* g, const T* x, const T* out, T* by_input) {
    constexpr long W = WIDTH<T>;
    const bool half = halves(s);
    parallel_range(s.planes, std::max(1L, 8192 / (s.d * s.h * s.w)), [&](long q, long end) {
        T* line = scratch<T>(SLOT_1, 2 * s.ow);
        for (; q < end; q++) {
            const T *plane = x + q * s.d * s.h * s.w, *top = out + q * s.od * s.oh * s.ow, *d = g + q * s.od * s.oh * s.ow;
            T* to = by_input + q * s.d * s.h * s.w;
            if (half) {
                for (long oy = 0; oy < s.oh; oy++) {
                    const T* p = plane + 2 * oy * s.w;
                    T* place = to + 2 * oy * s.w;
                    for (long j = 0; j < s.ow; j += W) {
                        const long some = std::min(W, s.ow - j);
                        const Vec<T> y = part(top + oy * s.ow + j, some), v = part(d + oy * s.ow + j, some);
                        Vec<T> tap[4];
                        pairs(p + 2 * j, some, tap[0], tap[1]), pairs(p + s.w + 2 * j, some, tap[2], tap[3]);
                        Ints<T> taken{};
                        for (int k = 0; k < 4; k++) {  // the first that equals the maximum, or is a NaN
                            const Ints<T> hit = ((tap[k] == y) | (tap[k] != tap[k])) & ~taken;
                            tap[k] = hit ? v : Vec<T>{};
                            taken |= hit;
                        }
                        put_pairs(place + 2 * j, some, tap[0], tap[1]), put_pairs(place + s.w + 2 * j, some, tap[2], tap[3]);
                    }
                    for (int row = 0; row < 2; row++)
                        for (long j = 2 * s.ow; j < s.w; j++) place[row * s.w + j] = 0;
                }
                std::memset(to + 2 * s.oh * s.w, 0, sizeof(T) * size_t((s.h - 2 * s.oh) * s.w));
                continue;
            }
            std::memset(to, 0, sizeof(T) * size_t(s.d * s.h * s.w));
            for (long r = 0; r < s.od * s.oh; r++) {
                const T* y = top + r * s.ow;
                T *rest = line + s.ow, *taken = line;  // what has not found its place yet, and what this tap takes of it
                std::memcpy(rest, d + r * s.ow, sizeof(T) * size_t(s.ow));
                each_tap(s, r, [&](long from, long many, long at) INLINE_LAMBDA {
                    gather_run(plane + at, s.sw, line, many);
                    for (long j = 0; j < many; j += W) {
                        const long some = std::min(W, many - j);
                        const Vec<T> v = part(line + j, some), left = part(rest + from + j, some);
                        const Ints<T> hit = (v == part(y + from + j, some)) | (v != v);
                        put(taken + j, hit ? left : Vec<T>{}, some), put(rest + from + j, hit ? Vec<T>{} : left, some);
                    }
                    add_run(taken, to + at, s.sw, many);
                });
            }
        }
    });
}

template <class T> void average(const PoolShape& s, const T* x, T count, const T* counts, T* out) {
    constexpr long W = WIDTH<T>;
    parallel_range(s.planes * s.oh, std::max(1L, 8192 / (s.ow * s.kh * s.kw)), [&](long r, long end) {
        T* line = scratch<T>(SLOT_1, s.ow);
        for (; r < end; r++) {
            const T* plane = x + r / s.oh * s.h * s.w;
            const long oy = r % s.oh;
            T* to = out + r * s.ow;
            if (s.ow == 1 && s.kw == s.w && s.dw == 1 && !s.pw) {  // whole rows: one sum
                Vec<T> total{};
                for (long ki = 0; ki < s.kh; ki++) {
                    const long y = oy * s.sh - s.ph + ki * s.dh;
                    if (y < 0 || y >= s.h) continue;
                    for (long j = 0; j < s.w; j += W) total += part(plane + y * s.w + j, std::min(W, s.w - j));
                }
                *to = sum<T>(total) / (counts ? counts[oy] : count);
                continue;
            }
            for (long j = 0; j < s.ow; j++) to[j] = 0;
            for (long ki = 0; ki < s.kh; ki++) {
                const long y = oy * s.sh - s.ph + ki * s.dh;
                if (y < 0 || y >= s.h) continue;
                for (long kj = 0, from, last, at; kj < s.kw; kj++) {
                    if (!span(s, kj, from, last, at)) continue;
                    gather_run(plane + y * s.w + at, s.sw, line, last - from);
                    add_run(line, to + from, 1, last - from);
                }
            }
            for (long j = 0; j < s.ow; j++) to[j] /= counts ? counts[oy * s.ow + j] : count;
        }
    });
}

template <class T> void average_grad(const PoolShape& s, const T* g, T count, const T* counts, T* by_input) {
    parallel_range(s.planes, std::max(1L, 8192 / (s.h * s.w)), [&](long q, long end) {
        T* line = scratch<T>(SLOT_1, s.ow);
        for (; q < end; q++) {
            T* to = by_input + q * s.h * s.w;
            std::memset(to, 0, sizeof(T) * size_t(s.h * s.w));
            for (long oy = 0; oy < s.oh; oy++) {
                for (long j = 0; j < s.ow; j++) line[j] = g[(q * s.oh + oy) * s.ow + j] / (counts ? counts[oy * s.ow + j] : count);
                for (long ki = 0; ki < s.kh; ki++) {
                    const long y = oy * s.sh - s.ph + ki * s.dh;
                    if (y < 0 || y >= s.h) continue;
                    if (s.ow == 1 && s.dw == 1) {  // one window: a value for a run
                        const long first = std::max(0L, -s.pw), last = std::min(s.w, s.kw - s.pw);
                        for (long j = first; j < last; j++) to[y * s.w + j] += line[0];
                        continue;
                    }
                    for (long kj = 0, from, last, at; kj < s.kw; kj++)
                        if (span(s, kj, from, last, at)) add_run(line + from, to + y * s.w + at, s.sw, last - from);
                }
            }
        }
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> PoolingKernels<T> pooling_kernels<T>() { return {max<T>, max_grad<T>, average<T>, average_grad<T>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
