// Depthwise convolution: every output channel looks at one input channel, so there is nothing to multiply as matrices.
// Planes are copied into a border of zeros first; the loops then need no bounds.
#include "../allocator.h"
#include "../pool.h"
#include "columns.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long ROWS = 4;  // of outputs at a time

struct Padded {
    long height, width;  // with the border, and room for whole vectors behind each row
};
template <class T> Padded padded(const ConvShape& s) {
    return {std::max(s.h + 2 * s.ph, (s.oh - 1) * s.sh + (s.kh - 1) * s.dh + 1),
            std::max(s.w + 2 * s.pw, (s.ow - 1) * s.sw + (s.kw - 1) * s.dw + 1) + 2 * WIDTH<T> * s.sw};
}

template <class T> T* with_border(const ConvShape& s, const Padded& p, const T* plane, int slot) {
    T* to = scratch<T>(slot, p.height * p.width);
    std::memset(to, 0, sizeof(T) * size_t(p.height * p.width));
    for (long y = 0; y < s.h; y++) std::memcpy(to + (y + s.ph) * p.width + s.pw, plane + y * s.w, sizeof(T) * size_t(s.w));
    return to;
}

// A vector of values `step` apart; there is room behind the last one.
template <class T> INLINE Vec<T> load_apart(const T* p, long step) {
    if (step == 1) return load(p);
    if (step == 2) return every_second(load(p), load(p + WIDTH<T>), std::make_integer_sequence<int, WIDTH<T>>{});
    T buffer[WIDTH<T>];
    for (long i = 0; i < WIDTH<T>; i++) buffer[i] = p[i * step];
    return load(buffer);
}

}  // namespace

template <class T> void depthwise_forward(const ConvShape& s, const T* x, const T* w, const T* bias, T* y) {
    constexpr long W = WIDTH<T>;
    const long per = s.o / s.c, points = s.points();
    const Padded p = padded<T>(s);
    parallel_range(s.n * s.c, std::max(1L, 20000 / (points * s.taps() * per)), [&](long first, long last) {
        for (long q = first; q < last; q++) {
            const T* in = with_border(s, p, x + q * s.h * s.w, SLOT_1);
            for (long m = 0; m < per; m++) {
                const long o = q % s.c * per + m;
                const T* weights = w + o * s.taps();
                T* out = y + (q / s.c * s.o + o) * points;
                for (long r = 0; r < s.oh; r += ROWS) {  // a few rows side by side: their sums do not wait for each other
                    const long rows = std::min(ROWS, s.oh - r);
                    for (long j = 0; j < s.ow; j += W) {
                        Vec<T> acc[ROWS];
                        const T* from[ROWS];
                        for (long i = 0; i < ROWS; i++) {
                            acc[i] = splat(bias ? bias[o] : T(0));
                            from[i] = in + std::min(r + i, s.oh - 1) * s.sh * p.width + j * s.sw;
                        }
                        for (long ki = 0; ki < s.kh; ki++)
                            for (long kj = 0; kj < s.kw; kj++) {
                                const Vec<T> weight = splat(weights[ki * s.kw + kj]);
                                const long at = ki * s.dh * p.width + kj * s.dw;
                                for (long i = 0; i < ROWS; i++) acc[i] += weight * load_apart(from[i] + at, s.sw);
                            }
                        for (long i = 0; i < rows; i++) put(out + (r + i) * s.ow + j, acc[i], std::min(W, s.ow - j));
                    }
                }
            }
        }
    });
}

template <class T> void depthwise_input_grad(const ConvShape& s, const T* dy, const T* w, T* dx) {
    constexpr long W = WIDTH<T>;
    const long per = s.o / s.c, points = s.points();
    if (per == 1 && s.sh == 1 && s.sw == 1 && s.ph <= (s.kh - 1) * s.dh && s.pw <= (s.kw - 1) * s.dw) {
        // The convolution of dy with the kernel turned about.
        const long taps = s.taps();
        const Temporary<T> turned(s.c * taps);
        for (long i = 0; i < s.c * taps; i++) turned[i] = w[i / taps * taps + taps - 1 - i % taps];
        const ConvShape back{
            s.n,  s.c,  s.oh,     s.ow, s.c, s.h, s.w, s.kh, s.kw, 1, 1, (s.kh - 1) * s.dh - s.ph, (s.kw - 1) * s.dw - s.pw,
            s.dh, s.dw, s.groups, false};
        return depthwise_forward<T>(back, dy, turned, nullptr, dx);
    }
    const Padded p = padded<T>(s);
    parallel_range(s.n * s.c, std::max(1L, 20000 / (points * s.taps() * per)), [&](long first, long last) {
        for (long q = first; q < last; q++) {
            T* sum = scratch<T>(SLOT_1, p.height * p.width);
            std::memset(sum, 0, sizeof(T) * size_t(p.height * p.width));
            for (long m = 0; m < per; m++) {
                const long o = q % s.c * per + m;
                const T* from = dy + (q / s.c * s.o + o) * points;
                for (long r = 0; r < s.oh; r++)
                    for (long tap = 0; tap < s.taps(); tap++) {
                        T* to = sum + (r * s.sh + tap / s.kw * s.dh) * p.width + tap % s.kw * s.dw;
                        const T weight = w[o * s.taps() + tap];
                        if (s.sw == 1) {
                            for (long j = 0; j < s.ow; j += W) {
                                const long n = std::min(W, s.ow - j);
                                store(to + j, load(to + j) + splat(weight) * load(from + r * s.ow + j, n));
                            }
                        } else {
                            for (long j = 0; j < s.ow; j++) to[j * s.sw] += weight * from[r * s.ow + j];
                        }
                    }
            }
            for (long r = 0; r < s.h; r++)
                std::memcpy(dx + (q * s.h + r) * s.w, sum + (r + s.ph) * p.width + s.pw, sizeof(T) * size_t(s.w));
        }
    });
}

template <class T> void depthwise_weight_grad(const ConvShape& s, const T* x, const T* dy, T* dw) {
    constexpr long W = WIDTH<T>;
    const long per = s.o / s.c, points = s.points(), taps = s.taps();
    const Padded p = padded<T>(s);
    parallel_range(s.c, 1, [&](long first, long last) {
        for (long c = first; c < last; c++) {
            Vec<T>* sums = reinterpret_cast<Vec<T>*>(scratch<T>(SLOT_2, per * taps * W));
            for (long i = 0; i < per * taps; i++) sums[i] = Vec<T>{};
            for (long n = 0; n < s.n; n++) {
                const T* in = with_border(s, p, x + (n * s.c + c) * s.h * s.w, SLOT_1);
                for (long m = 0; m < per; m++) {
                    const T* g = dy + (n * s.o + c * per + m) * points;
                    for (long tap = 0; tap < taps; tap += ROWS) {  // a few taps at a time
                        Vec<T> acc[ROWS] = {};
                        long at[ROWS];
                        for (long i = 0; i < ROWS; i++) {
                            const long one = std::min(tap + i, taps - 1);
                            at[i] = one / s.kw * s.dh * p.width + one % s.kw * s.dw;
                        }
                        for (long r = 0; r < s.oh; r++)
                            for (long j = 0; j < s.ow; j += W) {
                                const Vec<T> grad = part(g + r * s.ow + j, std::min(W, s.ow - j));
                                const T* row = in + r * s.sh * p.width + j * s.sw;
                                for (long i = 0; i < ROWS; i++) acc[i] += grad * load_apart(row + at[i], s.sw);
                            }
                        for (long i = 0; i < std::min(ROWS, taps - tap); i++) sums[m * taps + tap + i] += acc[i];
                    }
                }
            }
            for (long i = 0; i < per * taps; i++) dw[c * per * taps + i] = sum<T>(sums[i]);
        }
    });
}

#define INSTANCES(T)                                                                        \
    template void depthwise_forward<T>(const ConvShape&, const T*, const T*, const T*, T*); \
    template void depthwise_input_grad<T>(const ConvShape&, const T*, const T*, T*);        \
    template void depthwise_weight_grad<T>(const ConvShape&, const T*, const T*, T*);
INSTANCES(float)
INSTANCES(double)

}  // namespace dovetail::ISA
