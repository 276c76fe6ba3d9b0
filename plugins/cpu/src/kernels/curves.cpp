// One loop for the values and one for the slopes; the curve is chosen outside of the loop.
#include "curves.h"

#include "../math.h"
#include "../pool.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 32768;  // elements that are worth a thread

template <class T, class F> void each(const T* x, T* out, long n, F f) {
    constexpr long W = WIDTH<T>;
    parallel_range(n, GRAIN, [&](long i, long end) {
        for (; i + W <= end; i += W) store(out + i, f(load(x + i)));
        if (i < end) store(out + i, f(load(x + i, end - i)), end - i);
    });
}
template <class T, class F> void each(const T* g, long step, const T* x, T* out, long n, F f) {
    constexpr long W = WIDTH<T>;
    const Vec<T> all = splat(*g);
    parallel_range(n, GRAIN, [&](long i, long end) {
        for (; i + W <= end; i += W) store(out + i, f(step ? load(g + i) : all, load(x + i)));
        if (i < end) store(out + i, f(step ? load(g + i, end - i) : all, load(x + i, end - i)), end - i);
    });
}

// e^x - 1 for x <= 0, with all digits also near 0.
template <class T> INLINE Vec<T> expm1_of_negative(Vec<T> x) {
    constexpr T least = std::is_same_v<T, float> ? T(-80) : T(-700);  // -1 to all digits
    Vec<T> r;
    Ints<T> n = reduce<T>(x < least ? splat(least) : x, r);
    const Vec<T> scale = power_of_two<T>(n), y = exp_minus_one<T>(r) * scale + (scale - T(1));
    return ((x != x) | (x == T(0))) ? x : y;
}
// x between two bounds; a NaN stays, and so does the sign of a zero at a bound of zero.
template <class T> INLINE Vec<T> between(Vec<T> x, T low, T high) { return lesser<T>(splat(high), greater<T>(splat(low), x)); }
// 1, 0 or -1; a NaN stays.
template <class T> INLINE Vec<T> sign(Vec<T> x) { return x > T(0) ? splat(T(1)) : x < T(0) ? splat(T(-1)) : x; }

template <class T> void value(Curve curve, const Shape& s, const T* x, T* out, long n) {
    using V = Vec<T>;
    const T a = T(s.a), b = T(s.b), c = T(s.c), ab = T(s.a * s.b), half = T(s.a * 0.5);
    switch (curve) {
    case Curve::leaky_relu:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return v > T(0) ? v : v * a; });
    case Curve::elu:
        return each(x, out, n, [=](V v) INLINE_LAMBDA {
            const V low = lesser<T>(V{}, v) * c;
            return v <= T(0) ? expm1_of_negative<T>(low) * ab : v * b;
        });
    case Curve::softplus:
        return each(x, out, n, [=](V v) INLINE_LAMBDA {
            const V u = v * a;
            return u > b ? v : log1p<T>(exp<T>(u)) / a;
        });
    case Curve::logsigmoid:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return lesser<T>(v, V{}) - log1p<T>(exp<T>(-magnitude<T>(v))); });
    case Curve::hardtanh:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return between<T>(v, a, b); });
    case Curve::hardswish:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return between<T>(v + T(3), T(0), T(6)) * v / T(6); });
    case Curve::hardsigmoid:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return between<T>(v + T(3), T(0), T(6)) / T(6); });
    case Curve::magnitude:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return magnitude<T>(v); });
    case Curve::huber:
        return each(x, out, n, [=](V v) INLINE_LAMBDA {
            const V m = magnitude<T>(v);
            return (m < a ? m * m * T(0.5) : (m - half) * a) / b;
        });
    case Curve::softshrink:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return v > a ? v - a : v < -a ? v + a : v * T(0); });
    case Curve::hardshrink:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return ((v >= -a) & (v <= a)) ? V{} : v; });
    case Curve::threshold:
        return each(x, out, n, [=](V v) INLINE_LAMBDA { return v <= a ? splat(b) : v; });
    }
}

template <class T> void slope(Curve curve, const Shape& s, const T* grad, long step, const T* x, T* out, long n) {
    using V = Vec<T>;
    const T a = T(s.a), b = T(s.b), c = T(s.c), abc = T(s.a * s.b * s.c);
    switch (curve) {
    case Curve::leaky_relu:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return v > T(0) ? g : g * a; });
    case Curve::elu:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA {
            const V low = lesser<T>(v, V{}) * c;
            return g * (v <= T(0) ? exp<T>(low) * abc : splat(b));
        });
    case Curve::softplus:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA {
            const V u = v * a;
            return u > b ? g : g * sigmoid<T>(u);
        });
    case Curve::logsigmoid:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return g * sigmoid<T>(-v); });
    case Curve::hardtanh:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return ((v <= a) | (v >= b)) ? V{} : g; });
    case Curve::hardswish:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA {
            return v <= T(-3) ? V{} : v < T(3) ? g * (v * T(1 / 3.) + T(0.5)) : g;
        });
    case Curve::hardsigmoid:  // the factor has float's precision for every type, as PyTorch's
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return ((v > T(-3)) & (v < T(3))) ? g * T(1 / 6.f) : V{}; });
    case Curve::magnitude:  // where the difference is a NaN, PyTorch's sign of it is 0
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return g * (v == v ? sign<T>(v) : V{}); });
    case Curve::huber:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return g * (magnitude<T>(v) < a ? v : sign<T>(v) * a) / b; });
    case Curve::softshrink:
    case Curve::hardshrink:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return ((v >= -a) & (v <= a)) ? V{} : g; });
    case Curve::threshold:
        return each(grad, step, x, out, n, [=](V g, V v) INLINE_LAMBDA { return v <= a ? V{} : g; });
    }
}

// Calls f(place in a half, in the whole of its first half, how many) for each vector of each row.
template <class T, class F> void each_gated(long outer, long inner, F f) {
    constexpr long W = WIDTH<T>;
    parallel_range(outer, std::max(1L, GRAIN / inner), [&](long r, long end) {
        for (; r < end; r++)
            for (long j = 0; j < inner; j += W) f(r * inner + j, r * 2 * inner + j, std::min(W, inner - j));
    });
}

template <class T> void gate(long outer, long inner, const T* x, T* out) {
    each_gated<T>(outer, inner, [=](long half, long at, long some) INLINE_LAMBDA {
        put(out + half, part(x + at, some) * sigmoid<T>(part(x + at + inner, some)), some);
    });
}

template <class T> void gate_grad(long outer, long inner, const T* g, const T* x, T* out) {
    each_gated<T>(outer, inner, [=](long half, long at, long some) INLINE_LAMBDA {
        const Vec<T> s = sigmoid<T>(part(x + at + inner, some)), by_first = part(g + half, some) * s;
        put(out + at, by_first, some), put(out + at + inner, by_first * part(x + at, some) * (T(1) - s), some);
    });
}

}  // namespace

#define INSTANCE(T) \
    template <> CurvesKernels<T> curves_kernels<T>() { return {value<T>, slope<T>, gate<T>, gate_grad<T>}; }
INSTANCE(float)
INSTANCE(double)

}  // namespace dovetail::ISA
