// The Mersenne Twister (Matsumoto and Nishimura, 1998), and Box and Muller's transform, step by step the arithmetic of
// streams/normal.py: Cephes' single-precision logarithm, sine and cosine, with the same steps fused, which are PyTorch's.
// This file is compiled without contraction: what is fused is written so. Its loops are for the compiler to turn into vectors.
#include "random.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include "../pool.h"
#include "table.h"

namespace dovetail::ISA {
namespace {

constexpr int LANES = 8;  // pairs of a row
constexpr float LOG[] = {7.0376836292e-2f,  -1.1514610310e-1f, 1.1676998740e-1f,  -1.2420140846e-1f, 1.4249322787e-1f,
                         -1.6668057665e-1f, 2.0000714765e-1f,  -2.4999993993e-1f, 3.3333331174e-1f};
constexpr float LN2_LOW = -2.12194440e-4f, LN2_HIGH = 0.693359375f;
constexpr float SIN[] = {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f};
constexpr float COS[] = {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f};
constexpr float QUARTER_PI[] = {-0.78515625f, -2.4187564849853515625e-4f, -3.77489497744594108e-8f};  // minus pi / 4, in three parts
constexpr float TAU = 6.283185307179586f, OCTANTS = float(4 / 3.141592653589793);
constexpr int32_t ROOT_HALF = 0x3F3504F3;  // the bits of the root of 1/2

inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

// log u of a positive, normal number: u = x 2^e with x around 1, a polynomial in x - 1.
inline float log_of(float u) {
    const int32_t bits = std::bit_cast<int32_t>(u), exponent = (bits - ROOT_HALF) >> 23;
    const float x = std::bit_cast<float>(bits - (exponent << 23)) - 1.0f, square = x * x, power = float(exponent);
    float y = fused(x, LOG[0], LOG[1]);
#pragma GCC unroll 9
    for (int i = 2; i < 9; i++) y = fused(y, x, LOG[i]);
    y = fused(y * x, square, power * LN2_LOW);
    y = y + square * -0.5f;
    return fused(power, LN2_HIGH, x + y);
}

inline void sine_and_cosine(float angle, float& sine, float& cosine) {
    const int32_t octant = (int32_t(angle * OCTANTS) + 1) & ~1;
    const float count = float(octant);
    float x = angle;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) x = fused(count, QUARTER_PI[i], x);
    const float square = x * x;
    float c = fused(fused(square, COS[0], COS[1]), square, COS[2]) * square;
    float s = fused(fused(square, SIN[0], SIN[1]), square, SIN[2]) * square;
    s = fused(s, x, x);
    c = fused(c, square, square * -0.5f) + 1.0f;
    // The two change places around the vertical axis, and take the signs of their octant.
    const int32_t a = std::bit_cast<int32_t>(s), b = std::bit_cast<int32_t>(c), swap = -((octant >> 1) & 1) & (a ^ b);
    sine = std::bit_cast<float>((a ^ swap) ^ ((octant & 4) << 29));
    cosine = std::bit_cast<float>((b ^ swap) ^ ((~(octant - 2) & 4) << 29));
}

void box_muller(float* rows, long count, float mean, float std) {
    parallel_range(count, 1024, [=](long first, long last) {
        for (long r = first; r < last; r++) {
            float *low = rows + r * 2 * LANES, *high = low + LANES, a[LANES], b[LANES];
            for (int i = 0; i < LANES; i++) a[i] = low[i], b[i] = high[i];
            for (int i = 0; i < LANES; i++) {
                const float radius = __builtin_sqrtf(log_of(1.0f - a[i]) * -2.0f);
                float sine, cosine;
                sine_and_cosine(b[i] * TAU, sine, cosine);
                low[i] = fused(cosine * radius, std, mean);
                high[i] = fused(sine * radius, std, mean);
            }
        }
    });
}

constexpr int WORDS = 624, AHEAD = 397;  // of the twister's key, and how far ahead a word reads

inline uint32_t mixed(uint32_t word, uint32_t next) {
    const uint32_t both = (word & 0x80000000u) | (next & 0x7FFFFFFFu);
    return (both >> 1) ^ (-(next & 1u) & 0x9908B0DFu);
}

void twist(uint32_t* key, uint32_t* out, long blocks) {
    for (long b = 0; b < blocks; b++, out += WORDS) {
        for (int i = 0; i < WORDS - AHEAD; i++) key[i] = key[i + AHEAD] ^ mixed(key[i], key[i + 1]);
        for (int i = WORDS - AHEAD; i < WORDS - 1; i++) key[i] = key[i + AHEAD - WORDS] ^ mixed(key[i], key[i + 1]);
        key[WORDS - 1] = key[AHEAD - 1] ^ mixed(key[WORDS - 1], key[0]);
        for (int i = 0; i < WORDS; i++) {
            uint32_t y = key[i];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9D2C5680u;
            y ^= (y << 15) & 0xEFC60000u;
            out[i] = y ^ (y >> 18);
        }
    }
}

void below(const uint32_t* words, long n, uint64_t bound, uint8_t* out) {
    const uint32_t high = uint32_t(bound >> 32), low = uint32_t(bound);
    parallel_range(n, 1 << 15, [=](long first, long last) {
        for (long i = first; i < last; i++) {
            const uint32_t top = words[2 * i] & 0x1FFFFFu, rest = words[2 * i + 1];
            out[i] = uint8_t((top < high) | ((top == high) & (rest < low)));
        }
    });
}

template <class T> void scaled(const T* x, const uint8_t* mask, T scale, long n, T* out) {
    parallel_range(n, 1 << 15, [=](long first, long last) {
        for (long i = first; i < last; i++) out[i] = x[i] * T(mask[i]) * scale;
    });
}

}  // namespace

template <> RandomKernels<float> random_kernels() { return {box_muller, twist, below, scaled<float>}; }
template <> RandomKernels<double> random_kernels() { return {nullptr, twist, below, scaled<double>}; }

}  // namespace dovetail::ISA
