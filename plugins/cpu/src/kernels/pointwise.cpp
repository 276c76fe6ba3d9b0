// One loop for all functions of one argument, one for all of two; the function is chosen outside of the loop.
#include "pointwise.h"

#include "../math.h"
#include "../pool.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr long GRAIN = 32768;  // elements that are worth a thread

template <class T> constexpr bool IS_FLOAT = std::is_same_v<T, float>;
constexpr double SQRT_HALF = 0.70710678118654752, TANH_SCALE = 0.79788456080286536, TANH_CUBE = 0.044715;

// The part of the normal distribution below x, and its density.
template <class T> INLINE Vec<T> normal_part(Vec<T> x) {
    if constexpr (IS_FLOAT<T>) return erf(x * T(SQRT_HALF)) * T(0.5) + T(0.5);
    else return x;  // not reached: double is left to the reference
}
template <class T> INLINE Vec<T> normal_density(Vec<T> x) { return exp<T>(x * x * T(-0.5)) * T(0.3989422804014327); }
template <class T> INLINE Vec<T> gelu_inner(Vec<T> x) { return tanh<T>((x + x * x * x * T(TANH_CUBE)) * T(TANH_SCALE)); }

// `count` rows of n results; A_STEP and B_STEP say whether an operand has one value for a row or one for each element.
template <class T, int A_STEP, int B_STEP, class F>
void rows(const T* a, long a_next, const T* b, long b_next, T* out, long n, long count) {
    const long whole = n & -WIDTH<T>, rest = n - whole;
    const F f{};
    for (; count > 0; count--, a += a_next, b += b_next, out += n) {
        const Vec<T> a_all = A_STEP ? Vec<T>{} : splat(*a), b_all = B_STEP ? Vec<T>{} : splat(*b);
        for (long i = 0; i < whole; i += WIDTH<T>) store(out + i, f(A_STEP ? load(a + i) : a_all, B_STEP ? load(b + i) : b_all));
        if (rest) store(out + whole, f(A_STEP ? load(a + whole, rest) : a_all, B_STEP ? load(b + whole, rest) : b_all), rest);
    }
}

// The loops around the rows are the same for every function, and compiled once.
template <class T> using Rows = void (*)(const T* a, long a_next, const T* b, long b_next, T* out, long n, long count);

template <class T> void over(const Pairing& how, const T* a, const T* b, T* out, Rows<T> rows) {
    if (!how.dims) {
        parallel_range(how.n, GRAIN,
                       [&](long i, long end) { rows(a + i * how.inner[0], 0, b + i * how.inner[1], 0, out + i, end - i, 1); });
        return;
    }
    const int last = how.dims - 1;
    long count = 1;
    for (int d = 0; d <= last; d++) count *= how.outer[d];
    parallel_range(count, std::max(1L, GRAIN / std::max(how.n, 1L)), [&](long r, long end) {
        for (long some; r < end; r += some) {
            some = std::min(end - r, how.outer[last] - r % how.outer[last]);
            const T *p = a, *q = b;
            for (long d = last, rest = r; d >= 0; rest /= how.outer[d], d--) {
                p += rest % how.outer[d] * how.step[0][d];
                q += rest % how.outer[d] * how.step[1][d];
            }
            rows(p, how.step[0][last], q, how.step[1][last], out + r * how.n, how.n, some);
        }
    });
}

template <class T, class F> void pairs(const Pairing& how, const T* a, const T* b, T* out, F) {
    over(how, a, b, out, how.inner[0] && how.inner[1] ? rows<T, 1, 1, F> : how.inner[0] ? rows<T, 1, 0, F> : rows<T, 0, 1, F>);
}

// A function of one argument is one of two that leaves the second alone.
template <class F> struct First {
    template <class V> INLINE V operator()(V x, V) const { return F{}(x); }
};
template <class T, class F> void map(const T* x, T* out, long n, F) {
    Pairing how;
    how.n = n, how.inner[1] = 0;
    over(how, x, x, out, rows<T, 1, 0, First<F>>);
}

template <class T> void unary(Unary function, const T* x, T* out, long n) {
    using V = Vec<T>;
    switch (function) {
    case Unary::neg:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return -v; });
    case Unary::abs:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return magnitude<T>(v); });
    case Unary::square:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return v * v; });
    case Unary::sqrt:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return root<T>(v); });
    case Unary::rsqrt:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return T(1) / root<T>(v); });
    case Unary::reciprocal:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return T(1) / v; });
    case Unary::exp:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return exp<T>(v); });
    case Unary::log:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return log<T>(v); });
    case Unary::tanh:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return tanh<T>(v); });
    case Unary::sigmoid:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return sigmoid<T>(v); });
    case Unary::relu:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return greater<T>(V{}, v); });  // the second of two zeros: -0 stays
    case Unary::silu:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return v / (exp<T>(-v) + T(1)); });
    case Unary::gelu:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return v * normal_part<T>(v); });
    case Unary::gelu_tanh:
        return map(x, out, n, [](V v) INLINE_LAMBDA { return v * T(0.5) * (gelu_inner<T>(v) + T(1)); });
    case Unary::sign:  // 0 for a NaN
        return map(x, out, n, [](V v) INLINE_LAMBDA { return v > T(0) ? splat(T(1)) : v < T(0) ? splat(T(-1)) : V{}; });
    case Unary::erf:
        if constexpr (IS_FLOAT<T>) map(x, out, n, [](V v) INLINE_LAMBDA { return erf(v); });
    }
}

template <class T> void binary(Binary function, const Pairing& how, const T* a, const T* b, T* out) {
    using V = Vec<T>;
    switch (function) {
    case Binary::add:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return x + y; });
    case Binary::sub:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return x - y; });
    case Binary::mul:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return x * y; });
    case Binary::div:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return x / y; });
    case Binary::maximum:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return greater<T>(x, y); });
    case Binary::minimum:
        return pairs(how, a, b, out, [](V x, V y) INLINE_LAMBDA { return lesser<T>(x, y); });
    case Binary::tanh_grad:
        return pairs(how, a, b, out, [](V g, V y) INLINE_LAMBDA { return g * (T(1) - y * y); });
    case Binary::sigmoid_grad:
        return pairs(how, a, b, out, [](V g, V y) INLINE_LAMBDA { return g * (T(1) - y) * y; });
    case Binary::relu_grad:
        return pairs(how, a, b, out, [](V g, V y) INLINE_LAMBDA { return y <= T(0) ? V{} : g; });
    case Binary::silu_grad:
        return pairs(how, a, b, out, [](V g, V x) INLINE_LAMBDA {
            V s = sigmoid<T>(x);
            return g * s * (x * (T(1) - s) + T(1));
        });
    case Binary::gelu_grad:
        return pairs(how, a, b, out, [](V g, V x) INLINE_LAMBDA { return g * (normal_part<T>(x) + x * normal_density<T>(x)); });
    case Binary::gelu_tanh_grad:
        return pairs(how, a, b, out, [](V g, V x) INLINE_LAMBDA {
            V t = gelu_inner<T>(x), slope = (x * x * T(3 * TANH_CUBE) + T(1)) * T(TANH_SCALE);
            return g * T(0.5) * (t + T(1) + x * (T(1) - t * t) * slope);
        });
    case Binary::cross_entropy:
        return pairs(how, a, b, out, [](V x, V t) INLINE_LAMBDA {
            return (t - T(1)) * greater<T>(log1p<T>(-x), splat(T(-100))) - t * greater<T>(log<T>(x), splat(T(-100)));
        });
    case Binary::cross_entropy_logits:
        return pairs(how, a, b, out,
                     [](V x, V t) INLINE_LAMBDA { return log1p<T>(exp<T>(-magnitude<T>(x))) + greater<T>(-x, V{}) + (T(1) - t) * x; });
    case Binary::squared_difference:
        return pairs(how, a, b, out, [](V x, V t) INLINE_LAMBDA { return (x - t) * (x - t); });
    case Binary::prelu:
        return pairs(how, a, b, out, [](V x, V w) INLINE_LAMBDA { return x > T(0) ? x : x * w; });
    }
}

template <class T, class F> void mix(const T* a, const T* b, const T* c, T* out, long n, F f) {
    constexpr long W = WIDTH<T>;
    parallel_range(n, GRAIN, [&](long i, long end) {
        for (; i < end; i += W) {
            const long some = std::min(W, end - i);
            put(out + i, f(part(a + i, some), part(b + i, some), c ? part(c + i, some) : Vec<T>{}), some);
        }
    });
}

template <class T> void mixed(Mixed function, T s, const T* a, const T* b, const T* c, T* out, long n) {
    using V = Vec<T>;
    switch (function) {
    case Mixed::add_scaled:
        return mix(a, b, c, out, n, [=](V x, V y, V) INLINE_LAMBDA { return x + y * s; });
    case Mixed::lerp:  // from the nearer end
        if (s * s < T(0.25)) return mix(a, b, c, out, n, [=](V x, V y, V) INLINE_LAMBDA { return x + (y - x) * s; });
        return mix(a, b, c, out, n, [=](V x, V y, V) INLINE_LAMBDA { return y - (y - x) * (T(1) - s); });
    case Mixed::addcmul:
        return mix(a, b, c, out, n, [=](V x, V y, V z) INLINE_LAMBDA { return x + y * z * s; });
    case Mixed::addcdiv:
        return mix(a, b, c, out, n, [=](V x, V y, V z) INLINE_LAMBDA { return x + y / z * s; });
    }
}

}  // namespace

template <> PointwiseKernels<float> pointwise_kernels<float>() { return {unary<float>, binary<float>, mixed<float>}; }
template <> PointwiseKernels<double> pointwise_kernels<double>() { return {unary<double>, binary<double>, mixed<double>}; }

}  // namespace dovetail::ISA
