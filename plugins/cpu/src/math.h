// Elementary functions on vectors. Each is within a few units in the last place of the true value, and right at
// infinities and NaN; test_math.py measures both.
#pragma once
#include <limits>

#include "vec.h"

namespace dovetail::ISA {

template <class T> INLINE Vec<T> horner(Vec<T>, T a) { return splat(a); }
// a + b x + c x² + …, given from the constant term up.
template <class T, class... More> INLINE Vec<T> horner(Vec<T> x, T a, More... more) { return horner<T>(x, T(more)...) * x + a; }

// 2^n for whole n that the type can hold.
template <class T> INLINE Vec<T> power_of_two(Ints<T> n) {
    constexpr int bias = std::is_same_v<T, float> ? 127 : 1023, bits = std::is_same_v<T, float> ? 23 : 52;
    return (Vec<T>)((n + bias) << bits);
}

// x = n ln 2 + r with |r| <= ln 2 / 2. Adding a large number rounds to a whole one, which then stands in the low bits.
template <class T> INLINE Ints<T> reduce(Vec<T> x, Vec<T>& r) {
    constexpr bool f = std::is_same_v<T, float>;
    constexpr T shift = f ? T(0x1.8p23) : T(0x1.8p52);
    constexpr T high = f ? T(0x1.62e4p-1) : T(0x1.62e42fefa38p-1);  // ln 2 in two parts: products with n are exact
    constexpr T low = f ? T(0x1.7f7d1cf79abcap-20) : T(0x1.ef35793c7673p-45);
    Vec<T> n = x * T(1.4426950408889634) + shift;
    Ints<T> whole = (Ints<T>)n - (Ints<T>)splat(shift);
    n -= shift;
    r = (x - n * high) - n * low;
    return whole;
}

// e^r - 1 for |r| <= ln 2 / 2.
template <class T> INLINE Vec<T> exp_minus_one(Vec<T> r) {
    if constexpr (std::is_same_v<T, float>) return r + r * r * horner<T>(r, 1 / 2., 1 / 6., 1 / 24., 1 / 120., 1 / 720., 1 / 5040.);
    else
        return r + r * r *
                       horner<T>(r, 1 / 2., 1 / 6., 1 / 24., 1 / 120., 1 / 720., 1 / 5040., 1 / 40320., 1 / 362880., 1 / 3628800.,
                                 1 / 39916800., 1 / 479001600., 1 / 6227020800.);
}

template <class T> constexpr T EXP_TOP = std::is_same_v<T, float> ? T(88.7228394) : T(709.7827128933841);
template <class T> constexpr T EXP_BOTTOM = std::is_same_v<T, float> ? T(-104) : T(-745.5);

template <class T> INLINE Vec<T> exp(Vec<T> x) {
    Vec<T> r, in = x < EXP_BOTTOM<T> ? splat(EXP_BOTTOM<T>) : x > EXP_TOP<T> ? splat(EXP_TOP<T>) : x;
    Ints<T> n = reduce<T>(in, r), half = n >> 1;  // 2^n in two steps: results may lie below the normal range
    Vec<T> y = (exp_minus_one<T>(r) + T(1)) * power_of_two<T>(half) * power_of_two<T>(n - half);
    y = x > EXP_TOP<T> ? splat(std::numeric_limits<T>::infinity()) : y;
    y = x < EXP_BOTTOM<T> ? Vec<T>{} : y;
    return x != x ? x : y;
}

// e^x for x <= 0, where what is below the normal range may as well be 0: for weights that are summed.
template <class T> INLINE Vec<T> exp_of_negative(Vec<T> x) {
    constexpr T least = std::is_same_v<T, float> ? T(-87.3) : T(-708.3);
    Vec<T> r;
    Ints<T> n = reduce<T>(x < least ? splat(least) : x, r);
    Vec<T> y = (exp_minus_one<T>(r) + T(1)) * power_of_two<T>(n);
    y = x < least ? Vec<T>{} : y;
    return x != x ? x : y;
}

template <class T> INLINE Vec<T> sigmoid(Vec<T> x) { return T(1) / (exp<T>(-x) + T(1)); }

// The same without the care for results below the normal range, which no gate needs: there it is the least number above it.
template <class T> INLINE Vec<T> gate(Vec<T> x) {
    constexpr T most = std::is_same_v<T, float> ? T(87) : T(708);
    Vec<T> r, in = x > most ? splat(most) : x < -most ? splat(-most) : x;
    const Ints<T> n = reduce<T>(-in, r);
    return T(1) / ((exp_minus_one<T>(r) + T(1)) * power_of_two<T>(n) + T(1));
}

template <class T> INLINE Vec<T> tanh(Vec<T> x) {
    constexpr T top = std::is_same_v<T, float> ? T(10) : T(20);  // from here on it rounds to 1
    const Ints<T> sign = (Ints<T>)x & (Ints<T>)splat(T(-0.0));
    Vec<T> r, size = (Vec<T>)((Ints<T>)x ^ sign);
    Ints<T> n = reduce<T>(T(2) * (size > top ? splat(top) : size), r);
    Vec<T> scale = power_of_two<T>(n), t = exp_minus_one<T>(r) * scale + (scale - T(1));  // e^2x - 1, also for small x
    return (Vec<T>)((Ints<T>)(t / (t + T(2))) | sign);
}

// Natural logarithm: x = m 2^n with m around 1, and log m = 2 artanh((m - 1) / (m + 1)).
template <class T> INLINE Vec<T> log(Vec<T> x) {
    constexpr bool f = std::is_same_v<T, float>;
    constexpr int bits = f ? 23 : 52;
    constexpr T tiny = f ? T(0x1p-126) : T(0x1p-1022), lift = f ? T(0x1p24) : T(0x1p54);
    auto small = x < tiny;  // below the normal range: lift it, and take the power off again
    Vec<T> in = small ? x * lift : x;
    in = x > T(0) ? in : splat(T(1));  // the others are answered at the end
    Ints<T> word = (Ints<T>)in, half = (Ints<T>)splat(T(0.70710678118654752));
    Ints<T> n = (word - half) >> bits;  // so that m lies in [√½, √2)
    Vec<T> m = (Vec<T>)(word - (n << bits));
    Vec<T> power = __builtin_convertvector(n, Vec<T>) - (small ? splat(T(f ? 24 : 54)) : Vec<T>{});
    Vec<T> s = (m - T(1)) / (m + T(1)), q = s * s, series;
    if constexpr (f) series = horner<T>(q, 1 / 3., 1 / 5., 1 / 7., 1 / 9., 1 / 11.);
    else series = horner<T>(q, 1 / 3., 1 / 5., 1 / 7., 1 / 9., 1 / 11., 1 / 13., 1 / 15., 1 / 17., 1 / 19., 1 / 21., 1 / 23.);
    constexpr T high = f ? T(0x1.62e4p-1) : T(0x1.62e42fefa38p-1), low = f ? T(0x1.7f7d1cf79abcap-20) : T(0x1.ef35793c7673p-45);
    // 2s = d - s d with d = m - 1, which is exact: the leading part keeps all its digits where the power is 0
    Vec<T> d = m - T(1);
    Vec<T> y = power * high + (d - (s * (d - T(2) * q * series) - power * low));
    y = x == T(0) ? splat(-std::numeric_limits<T>::infinity()) : y;
    y = x == splat(std::numeric_limits<T>::infinity()) ? x : y;
    return x < T(0) ? splat(std::numeric_limits<T>::quiet_NaN()) : x != x ? x : y;
}

// log(1 + x), with all digits also for small x: what 1 + x lost is put back to first order.
template <class T> INLINE Vec<T> log1p(Vec<T> x) {
    const Vec<T> u = x + T(1), y = log<T>(u) - ((u - T(1)) - x) / u;
    return ((u == T(0)) | (u == splat(std::numeric_limits<T>::infinity()))) ? log<T>(u) : y;
}

// The error function, float only: x P(x²) / Q(x²), fitted to a relative 2e-9 up to 3.92, from where on it rounds to 1.
INLINE Vec<float> erf(Vec<float> x) {
    Vec<float> in = x > 3.92f ? splat(3.92f) : x < -3.92f ? splat(-3.92f) : x, u = in * in;
    Vec<float> p = horner<float>(u, 1.128379225730896f, 0.18513533473014832f, 0.054244015365839005f, 0.003838627366349101f,
                                 0.0003767600283026695f, 4.609261850418989e-06f, -1.2799944215657888e-08f);
    Vec<float> q = horner<float>(u, 1.0f, 0.4974053204059601f, 0.11387380212545395f, 0.015430061146616936f, 0.0013015272561460733f,
                                 6.239944195840508e-05f);
    Vec<float> y = in * p / q;
    y = x >= 3.92f ? splat(1.0f) : x <= -3.92f ? splat(-1.0f) : y > 1.0f ? splat(1.0f) : y < -1.0f ? splat(-1.0f) : y;
    return x != x ? x : y;
}

}  // namespace dovetail::ISA
