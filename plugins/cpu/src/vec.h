// Vectors of one register, written with the compiler's vector types: the same text serves AVX-512, AVX2 and NEON.
//
// Every file that includes this is compiled once per instruction set, into a namespace of that name (ISA, set by the
// build). Nothing outside the namespace may depend on the vector width.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

namespace dovetail::ISA {

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX2__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

// For an element type: its vector, the integers of its size (also what comparisons give), and a vector at any address.
template <class T> struct Types;
#define VECTOR_TYPES(T, I)                                                                     \
    template <> struct Types<T> {                                                              \
        typedef T vector __attribute__((vector_size(BYTES)));                                  \
        typedef I integers __attribute__((vector_size(BYTES)));                                \
        typedef T anywhere __attribute__((vector_size(BYTES), aligned(sizeof(T)), may_alias)); \
    };
VECTOR_TYPES(float, int32_t)
VECTOR_TYPES(double, int64_t)
VECTOR_TYPES(int32_t, int32_t)
VECTOR_TYPES(int64_t, int64_t)
#undef VECTOR_TYPES

template <class T> using Vec = typename Types<T>::vector;
template <class T> using Ints = typename Types<T>::integers;
template <class T> constexpr long WIDTH = BYTES / sizeof(T);

template <class T> INLINE Vec<T> load(const T* p) { return *reinterpret_cast<const typename Types<T>::anywhere*>(p); }
template <class T> INLINE void store(T* p, Vec<T> v) { *reinterpret_cast<typename Types<T>::anywhere*>(p) = v; }
template <class T> INLINE Vec<T> splat(T x) { return x - Vec<T>{}; }  // not `Vec{} + x`, which would lose the sign of -0

#if defined(__AVX2__) && !defined(__AVX512F__)
// Lanes below n, as the instructions for part of a vector take them.
template <class T> INLINE __m256i lanes(long n) {
    if constexpr (sizeof(T) == 4) return (__m256i)(Ints<float>{0, 1, 2, 3, 4, 5, 6, 7} < (Ints<float>{} + (int32_t)n));
    else return (__m256i)(Ints<double>{0, 1, 2, 3} < (Ints<double>{} + (int64_t)n));
}
#endif

// The first n elements, 0 <= n <= WIDTH; the others are `rest` and are not read.
template <class T> INLINE Vec<T> load(const T* p, long n, T rest = 0) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return (Vec<T>)_mm512_mask_loadu_ps((__m512)splat(rest), (__mmask16)((1u << n) - 1), p);
    if constexpr (std::is_same_v<T, double>) return (Vec<T>)_mm512_mask_loadu_pd((__m512d)splat(rest), (__mmask8)((1u << n) - 1), p);
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (std::is_floating_point_v<T>) {
        Vec<T> v;
        if constexpr (sizeof(T) == 4) v = (Vec<T>)_mm256_maskload_ps(p, lanes<T>(n));
        else v = (Vec<T>)_mm256_maskload_pd(p, lanes<T>(n));
        return rest == T(0) ? v : (Ints<T>)lanes<T>(n) ? v : splat(rest);
    }
#endif
    T buffer[WIDTH<T>];
    for (long i = 0; i < WIDTH<T>; i++) buffer[i] = i < n ? p[i] : rest;
    return load(buffer);
}
template <class T> INLINE void store(T* p, Vec<T> v, long n) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
    if constexpr (std::is_same_v<T, double>) return _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm256_maskstore_ps(p, lanes<T>(n), (__m256)v);
    if constexpr (std::is_same_v<T, double>) return _mm256_maskstore_pd(p, lanes<T>(n), (__m256d)v);
#endif
    T buffer[WIDTH<T>];
    store(buffer, v);
    for (long i = 0; i < n; i++) p[i] = buffer[i];
}

// Likewise, the whole vector the quick way: for loops whose last step is a part.
template <class T> INLINE Vec<T> part(const T* p, long n) { return n == WIDTH<T> ? load(p) : load(p, n); }
template <class T> INLINE void put(T* p, Vec<T> v, long n) {
    if (n == WIDTH<T>) store(p, v);
    else store(p, v, n);
}
// The lanes below n, others zero.
template <class T> INLINE Vec<T> first(Vec<T> v, long n) {
    if (n == WIDTH<T>) return v;
    T buffer[WIDTH<T>] = {};
    store(buffer, v, n);
    return load(buffer);
}

// Elements from where `at` says, counted from p; zero where that is negative.
template <class T> INLINE Vec<T> gather(const T* p, const int32_t* at) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) {
        const __m512i i = _mm512_loadu_si512(at);
        return (Vec<T>)_mm512_mask_i32gather_ps(_mm512_setzero_ps(), _mm512_cmpge_epi32_mask(i, _mm512_setzero_si512()), i, p, 4);
    }
    if constexpr (std::is_same_v<T, double>) {
        const __m256i i = _mm256_loadu_si256((const __m256i*)at);
        return (Vec<T>)_mm512_mask_i32gather_pd(_mm512_setzero_pd(), _mm256_cmpge_epi32_mask(i, _mm256_setzero_si256()), i, p, 8);
    }
#endif
    Vec<T> v;
    for (long i = 0; i < WIDTH<T>; i++) v[i] = at[i] < 0 ? T(0) : p[at[i]];
    return v;
}

template <class T, class V = Vec<T>> INLINE V select(Ints<T> mask, V a, V b) { return mask ? a : b; }
// The greater of two, as NumPy and PyTorch have it: a NaN on either side is the answer.
template <class T> INLINE Vec<T> greater(Vec<T> a, Vec<T> b) { return ((a > b) | (a != a)) ? a : b; }
template <class T> INLINE Vec<T> lesser(Vec<T> a, Vec<T> b) { return ((a < b) | (a != a)) ? a : b; }
// Plain ones, for values that are known to be numbers: one instruction.
template <class T> INLINE Vec<T> top(Vec<T> a, Vec<T> b) { return a > b ? a : b; }
template <class T> INLINE Vec<T> bottom(Vec<T> a, Vec<T> b) { return a < b ? a : b; }

template <class T> INLINE Vec<T> root(Vec<T> v) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return (Vec<T>)_mm512_sqrt_ps((__m512)v);
    else return (Vec<T>)_mm512_sqrt_pd((__m512d)v);
#elif defined(__AVX2__)
    if constexpr (std::is_same_v<T, float>) return (Vec<T>)_mm256_sqrt_ps((__m256)v);
    else return (Vec<T>)_mm256_sqrt_pd((__m256d)v);
#else
    for (long i = 0; i < WIDTH<T>; i++) v[i] = std::sqrt(v[i]);
    return v;
#endif
}
template <class T> INLINE Vec<T> magnitude(Vec<T> v) { return v < 0 ? -v : v + T(0); }

// Exchange: the lower (upper) halves of two vectors, element by element in turn.
template <class V, int... I> INLINE V zip_low(V a, V b, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    return __builtin_shufflevector(a, b, (I % 2 ? n + I / 2 : I / 2)...);
}
template <class V, int... I> INLINE V zip_high(V a, V b, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    return __builtin_shufflevector(a, b, (I % 2 ? n + n / 2 + I / 2 : n / 2 + I / 2)...);
}

// Transpose a square of WIDTH x WIDTH elements held in rows: as many rounds of zipping as the width has bits.
template <class T> INLINE void transpose(Vec<T> (&rows)[WIDTH<T>]) {
    constexpr int n = WIDTH<T>;
    using Order = std::make_integer_sequence<int, n>;
    Vec<T> other[n];
#pragma GCC unroll 6
    for (int round = 1; round < n; round *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < n / 2; i++) {
            other[2 * i] = zip_low(rows[i], rows[i + n / 2], Order{});
            other[2 * i + 1] = zip_high(rows[i], rows[i + n / 2], Order{});
        }
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) rows[i] = other[i];
    }
}
template <class T> INLINE void transpose(const T* from, long from_stride, T* to, long to_stride) {
    Vec<T> rows[WIDTH<T>];
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH<T>; i++) rows[i] = load(from + i * from_stride);
    transpose<T>(rows);
#pragma GCC unroll 16
    for (int i = 0; i < WIDTH<T>; i++) store(to + i * to_stride, rows[i]);
}

// All elements of a vector taken together, halves first: the order does not depend on where the vector came from.
template <class T, class F> INLINE T fold(Vec<T> v, F&& f) {
    T a[WIDTH<T>];
    store(a, v);
#pragma GCC unroll 5
    for (long n = WIDTH<T> / 2; n; n /= 2)
#pragma GCC unroll 16
        for (long i = 0; i < n; i++) a[i] = f(a[i], a[i + n]);
    return a[0];
}
template <class T> INLINE T sum(Vec<T> v) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_reduce_add_ps((__m512)v);
    if constexpr (std::is_same_v<T, double>) return _mm512_reduce_add_pd((__m512d)v);
#endif
    return fold<T>(v, [](T a, T b) { return a + b; });
}
template <class T> INLINE T largest(Vec<T> v) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_reduce_max_ps((__m512)v);
    if constexpr (std::is_same_v<T, double>) return _mm512_reduce_max_pd((__m512d)v);
#endif
    return fold<T>(v, [](T a, T b) { return a > b ? a : b; });
}

}  // namespace dovetail::ISA
