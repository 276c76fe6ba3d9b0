// Normalisation. Means come first and squares are taken of what is left, so that no digits cancel.
#include "norm.h"

#include <algorithm>
#include <cmath>

#include "../allocator.h"
#include "../pool.h"
#include "../vec.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

// Σ f(i) over a run, in four sums that do not wait for each other.
template <class T, class F> INLINE Vec<T> run_sum(long n, F&& f) {
    constexpr long W = WIDTH<T>;
    Vec<T> acc[4] = {};
    long i = 0;
    for (; i + 4 * W <= n; i += 4 * W)
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++) acc[u] += f(i + u * W, W);
    for (; i + W <= n; i += W) acc[0] += f(i, W);
    if (i < n) acc[1] += f(i, n - i);
    return (acc[0] + acc[1]) + (acc[2] + acc[3]);
}

// Channels side by side (L = 1), as of features or of images in channels-last order: a vector holds channels. Rows are summed in blocks
// that threads share, and the blocks' sums in their order. add(row, channel, some, sums) adds the S terms of a part of a row.
template <class T, int S, class F> void channel_sums(long n, long c, T* out, F&& add) {
    constexpr long W = WIDTH<T>, TOGETHER = 4;
    const long blocks = std::clamp(n * c / 8192, 1L, 64L);
    const Temporary<T> held(blocks * S * c);
    std::fill_n(held + 0, blocks * S * c, T(0));
    parallel_range(blocks, 1, [&](long block, long end) {
        for (; block < end; block++) {
            T* to = held + block * S * c;
            const long stop = n * (block + 1) / blocks;
            for (long r = n * block / blocks; r < stop; r += TOGETHER)
                for (long i = 0; i < c; i += W) {
                    const long some = std::min(W, c - i), rows = std::min(TOGETHER, stop - r);
                    Vec<T> sums[S] = {};
                    for (long k = 0; k < rows; k++) add(r + k, i, some, sums);
                    for (int k = 0; k < S; k++) put(to + k * c + i, part(to + k * c + i, some) + sums[k], some);
                }
        }
    });
    std::copy_n(held + 0, S * c, out);
    for (long block = 1; block < blocks; block++)
        for (long i = 0; i < S * c; i++) out[i] += held[block * S * c + i];
}
// f(row, channel, some) for each part of each row.
template <class T, class F> void channel_parts(long n, long c, F&& f) {
    constexpr long W = WIDTH<T>;
    parallel_range(n, std::max(1L, 8192 / c), [&](long r, long end) {
        for (; r < end; r++)
            for (long i = 0; i < c; i += W) f(r, i, std::min(W, c - i));
    });
}

template <class T> void batch_columns(long n, long c, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* var) {
    channel_sums<T, 1>(n, c, mean, [&](long r, long i, long some, Vec<T>* sums) { sums[0] += part(x + r * c + i, some); });
    for (long i = 0; i < c; i++) mean[i] /= T(n);
    channel_sums<T, 1>(n, c, var, [&](long r, long i, long some, Vec<T>* sums) {
        const Vec<T> d = part(x + r * c + i, some) - part(mean + i, some);
        sums[0] += d * d;
    });
    const Temporary<T> scale(c);
    for (long i = 0; i < c; i++) var[i] /= T(n), scale[i] = T(1) / std::sqrt(var[i] + eps) * (weight ? weight[i] : T(1));
    channel_parts<T>(n, c, [&](long r, long i, long some) {
        const Vec<T> y = (part(x + r * c + i, some) - part(mean + i, some)) * part(scale + i, some);
        put(out + r * c + i, bias ? y + part(bias + i, some) : y, some);
    });
}

template <class T> void batch(long n, long c, long l, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* var) {
    constexpr long W = WIDTH<T>;
    if (l == 1) return batch_columns(n, c, x, weight, bias, eps, out, mean, var);
    parallel_range(c, std::max(1L, 8192 / (n * l)), [&](long channel, long end) {
        for (; channel < end; channel++) {
            Vec<T> sum{}, squares{};
            for (long i = 0; i < n; i++) {
                const T* p = x + (i * c + channel) * l;
                sum += run_sum<T>(l, [&](long j, long some) { return part(p + j, some); });
            }
            const T m = dovetail::ISA::sum<T>(sum) / T(n * l);
            for (long i = 0; i < n; i++) {
                const T* p = x + (i * c + channel) * l;
                squares += run_sum<T>(l, [&](long j, long some) {
                    Vec<T> d = first<T>(part(p + j, some) - m, some);
                    return d * d;
                });
            }
            const T v = dovetail::ISA::sum<T>(squares) / T(n * l);
            const T scale = T(1) / std::sqrt(v + eps) * (weight ? weight[channel] : T(1)), shift = bias ? bias[channel] : T(0);
            for (long i = 0; i < n; i++) {
                const T* p = x + (i * c + channel) * l;
                T* q = out + (i * c + channel) * l;
                for (long j = 0; j < l; j += W) {
                    const long some = std::min(W, l - j);
                    put(q + j, (part(p + j, some) - m) * scale + shift, some);
                }
            }
            mean[channel] = m, var[channel] = v;
        }
    });
}

template <class T> void batch_grad_columns(long n, long c, const T* g, const T* x, const T* weight, const T* mean, const T* var, T eps,
                                           T* by_input, T* by_weight, T* by_bias) {
    const Temporary<T> room(5 * c);
    T *sums = room, *scale = sums + 2 * c, *tilt = scale + c, *level = tilt + c;
    channel_sums<T, 2>(n, c, sums, [&](long r, long i, long some, Vec<T>* to) {
        const Vec<T> d = part(g + r * c + i, some);
        to[0] += d, to[1] += d * (part(x + r * c + i, some) - part(mean + i, some));
    });
    for (long i = 0; i < c; i++) {
        const T rstd = T(1) / std::sqrt(var[i] + eps), product = sums[c + i];
        by_weight[i] = product * rstd, by_bias[i] = sums[i];
        scale[i] = weight ? rstd * weight[i] : rstd, tilt[i] = product * rstd * rstd / T(n), level[i] = sums[i] / T(n);
    }
    if (!by_input) return;
    channel_parts<T>(n, c, [&](long r, long i, long some) {
        const Vec<T> away = (part(x + r * c + i, some) - part(mean + i, some)) * part(tilt + i, some);
        put(by_input + r * c + i, (part(g + r * c + i, some) - part(level + i, some) - away) * part(scale + i, some), some);
    });
}

template <class T> void batch_grad(long n, long c, long l, const T* g, const T* x, const T* weight, const T* mean, const T* var, T eps,
                                   T* by_input, T* by_weight, T* by_bias) {
    constexpr long W = WIDTH<T>;
    if (l == 1) return batch_grad_columns(n, c, g, x, weight, mean, var, eps, by_input, by_weight, by_bias);
    parallel_range(c, std::max(1L, 8192 / (n * l)), [&](long channel, long end) {
        for (; channel < end; channel++) {
            const T m = mean[channel], rstd = T(1) / std::sqrt(var[channel] + eps);
            Vec<T> sums{}, products{};
            for (long i = 0; i < n; i++) {
                const T *d = g + (i * c + channel) * l, *p = x + (i * c + channel) * l;
                sums += run_sum<T>(l, [&](long j, long some) { return part(d + j, some); });
                products += run_sum<T>(l, [&](long j, long some) { return part(d + j, some) * (part(p + j, some) - m); });
            }
            const T sum = dovetail::ISA::sum<T>(sums), product = dovetail::ISA::sum<T>(products);
            by_weight[channel] = product * rstd, by_bias[channel] = sum;
            if (!by_input) continue;
            const T scale = rstd * (weight ? weight[channel] : T(1)), tilt = product * rstd * rstd / T(n * l), level = sum / T(n * l);
            for (long i = 0; i < n; i++) {
                const T *d = g + (i * c + channel) * l, *p = x + (i * c + channel) * l;
                T* q = by_input + (i * c + channel) * l;
                for (long j = 0; j < l; j += W) {
                    const long some = std::min(W, l - j);
                    put(q + j, (part(d + j, some) - level - (part(p + j, some) - m) * tilt) * scale, some);
                }
            }
        }
    });
}

template <class T> void scale_shift(long n, long c, long l, const T* x, const T* scale, const T* shift, T* out) {
    constexpr long W = WIDTH<T>;
    if (l == 1) {
        channel_parts<T>(n, c, [&](long r, long i, long some) {
            put(out + r * c + i, part(x + r * c + i, some) * part(scale + i, some) + part(shift + i, some), some);
        });
        return;
    }
    parallel_range(n * c, std::max(1L, 8192 / l), [&](long r, long end) {
        for (; r < end; r++)
            for (long i = 0; i < l; i += W) {
                const long some = std::min(W, l - i);
                put(out + r * l + i, part(x + r * l + i, some) * scale[r % c] + shift[r % c], some);
            }
    });
}

// The mean of a row, which counts as zero unless it is centred, and 1 / sqrt(variance + eps).
template <class T> INLINE void moments(const T* p, long n, T eps, bool centred, T& mean, T& rstd) {
    const T m = centred ? sum<T>(run_sum<T>(n, [&](long j, long some) { return part(p + j, some); })) / T(n) : T(0);
    const Vec<T> squares = run_sum<T>(n, [&](long j, long some) {
        const Vec<T> d = first<T>(part(p + j, some) - m, some);
        return d * d;
    });
    mean = m, rstd = T(1) / std::sqrt(sum<T>(squares) / T(n) + eps);
}

template <class T> void layer(long rows, long width, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* rstd) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, 4096 / width), [&](long r, long end) {
        for (; r < end; r++) {
            const T* p = x + r * width;
            T* q = out + r * width;
            T m, s;
            moments(p, width, eps, mean != nullptr, m, s);
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                Vec<T> y = (part(p + j, some) - m) * s;
                if (weight) y *= part(weight + j, some);
                if (bias) y += part(bias + j, some);
                put(q + j, y, some);
            }
            if (mean) mean[r] = m;
            rstd[r] = s;
        }
    });
}

template <class T> void layer_grad(long rows, long width, const T* g, const T* x, const T* weight, const T* mean, const T* rstd,
                                   T* by_input, T* by_weight, T* by_bias) {
    constexpr long W = WIDTH<T>;
    const long shares = std::min<long>(threads(), std::max(1L, rows * width / 8192)), wide = (width + W - 1) / W * W;
    T* sums = scratch<T>(SLOT_1, shares * 2 * wide);  // of each thread: by weight, by bias
    parallel(shares, [&](long share, int) {
        T *of_weight = sums + share * 2 * wide, *of_bias = of_weight + wide;
        std::memset(of_weight, 0, sizeof(T) * size_t(2 * wide));
        for (long r = rows * share / shares; r < rows * (share + 1) / shares; r++) {
            const T *p = x + r * width, *d = g + r * width, m = mean ? mean[r] : T(0), s = rstd[r];
            Vec<T> level{}, tilt{};
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                Vec<T> h = (part(p + j, some) - m) * s, v = part(d + j, some);
                if (by_weight) store(of_weight + j, load(of_weight + j) + v * h);
                if (by_bias) store(of_bias + j, load(of_bias + j) + v);
                if (weight) v *= part(weight + j, some);
                level += v, tilt += v * h;  // v is zero past the end
            }
            if (!by_input) continue;
            const T a = mean ? sum<T>(level) / T(width) : T(0), b = sum<T>(tilt) / T(width);
            for (long j = 0; j < width; j += W) {
                const long some = std::min(W, width - j);
                Vec<T> h = (part(p + j, some) - m) * s, v = part(d + j, some);
                if (weight) v *= part(weight + j, some);
                put(by_input + r * width + j, (v - a - h * b) * s, some);
            }
        }
    });
    for (int k = 0; k < 2; k++)
        if (T* to = k ? by_bias : by_weight)
            for (long j = 0; j < width; j++) {
                T v = 0;
                for (long share = 0; share < shares; share++) v += sums[(share * 2 + k) * wide + j];
                to[j] = v;
            }
}

template <class T>
void group(long rows, long groups, long per, long l, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean, T* rstd) {
    constexpr long W = WIDTH<T>;
    parallel_range(rows, std::max(1L, 4096 / (per * l)), [&](long r, long end) {
        for (; r < end; r++) {
            T m, s;
            moments(x + r * per * l, per * l, eps, true, m, s);
            for (long k = 0; k < per; k++) {
                const long at = (r * per + k) * l, channel = r % groups * per + k;
                const T scale = weight ? s * weight[channel] : s, shift = bias ? bias[channel] : T(0);
                for (long j = 0; j < l; j += W) {
                    const long some = std::min(W, l - j);
                    put(out + at + j, (part(x + at + j, some) - m) * scale + shift, some);
                }
            }
            mean[r] = m, rstd[r] = s;
        }
    });
}

template <class T> void group_grad(long rows, long groups, long per, long l, const T* g, const T* x, const T* weight, const T* mean,
                                   const T* rstd, T* by_input, T* by_weight, T* by_bias) {
    constexpr long W = WIDTH<T>;
    T *products = scratch<T>(SLOT_1, 2 * rows * per), *sums = products + rows * per;  // of each channel of each row
    parallel_range(rows, std::max(1L, 4096 / (per * l)), [&](long r, long end) {
        for (; r < end; r++) {
            const T m = mean[r], s = rstd[r], *w = weight ? weight + r % groups * per : nullptr;
            T level = 0, tilt = 0;
            for (long k = r * per; k < (r + 1) * per; k++) {
                const T *d = g + k * l, *p = x + k * l, scale = w ? w[k - r * per] : T(1);
                sums[k] = sum<T>(run_sum<T>(l, [&](long j, long some) { return part(d + j, some); }));
                products[k] = s * sum<T>(run_sum<T>(l, [&](long j, long some) { return part(d + j, some) * (part(p + j, some) - m); }));
                level += scale * sums[k], tilt += scale * products[k];
            }
            if (!by_input) continue;
            level *= s / T(per * l), tilt *= s * s / T(per * l);
            for (long k = r * per; k < (r + 1) * per; k++) {
                const T *d = g + k * l, *p = x + k * l, scale = w ? s * w[k - r * per] : s;
                for (long j = 0; j < l; j += W) {
                    const long some = std::min(W, l - j);
                    put(by_input + k * l + j, part(d + j, some) * scale - level - (part(p + j, some) - m) * tilt, some);
                }
            }
        }
    });
    for (int i = 0; i < 2; i++)
        if (T* to = i ? by_bias : by_weight)
            for (long channel = 0; channel < groups * per; channel++) {
                T v = 0;
                for (long k = channel; k < rows * per; k += groups * per) v += (i ? sums : products)[k];
                to[channel] = v;
            }
}

}  // namespace

#define INSTANCE(T)                                                                                         \
    template <> NormKernels<T> norm_kernels<T>() {                                                          \
        return {batch<T>, batch_grad<T>, scale_shift<T>, layer<T>, layer_grad<T>, group<T>, group_grad<T>}; \
    }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
