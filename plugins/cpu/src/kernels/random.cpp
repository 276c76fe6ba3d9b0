// The Mersenne Twister, and Box and Muller's transform, step by step the arithmetic of random_streams/normal.py: Cephes' single-precision
// logarithm, sine and cosine, with the same steps fused, which are PyTorch's. This file is compiled without contraction: what is fused is
// written so.
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
#pragma GCC unroll 16
    for (int i = 2; i < 9; i++) y = fused(y, x, LOG[i]);
    y = fused(y * x, square, power * LN2_LOW);
    y = y + square * -0.5f;
    return fused(power, LN2_HIGH, x + y);
}

inline void sine_and_cosine(float angle, float& sine, float& cosine) {
    const int32_t octant = (int32_t(angle * OCTANTS) + 1) & ~1;
    const float count = float(octant);
    float x = angle;
#pragma GCC unroll 4
    for (float part : QUARTER_PI) x = fused(count, part, x);
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
    constexpr long TOGETHER = 8;  // rows: more pairs than the widest vector has
    parallel_range(count, 1024, [=](long first, long last) {
        for (long r = first; r < last; r += TOGETHER) {
            const long some = std::min(TOGETHER, last - r);
            float *at = rows + r * 2 * LANES, a[TOGETHER * LANES], b[TOGETHER * LANES];
            for (long k = 0; k < some; k++)
                for (int i = 0; i < LANES; i++) a[k * LANES + i] = at[2 * k * LANES + i], b[k * LANES + i] = at[(2 * k + 1) * LANES + i];
            for (long i = 0; i < some * LANES; i++) {
                const float radius = __builtin_sqrtf(log_of(1.0f - a[i]) * -2.0f);
                float sine, cosine;
                sine_and_cosine(b[i] * TAU, sine, cosine);
                a[i] = fused(cosine * radius, std, mean);
                b[i] = fused(sine * radius, std, mean);
            }
            for (long k = 0; k < some; k++)
                for (int i = 0; i < LANES; i++) at[2 * k * LANES + i] = a[k * LANES + i], at[(2 * k + 1) * LANES + i] = b[k * LANES + i];
        }
    });
}

// Matsumoto and Nishimura's recurrence on a whole block, from one to the next: word k needs words k, k + 1 and k + 397 of 624, where
// those from 624 on are the new ones.
constexpr long AHEAD = 397;
inline uint32_t twist(uint32_t far, uint32_t here, uint32_t next) {
    const uint32_t both = (here & 0x80000000u) | (next & 0x7FFFFFFFu);
    return far ^ (both >> 1) ^ (-(next & 1) & 0x9908B0DFu);
}

void twisted(uint32_t* key, long count, uint32_t* out) {
    uint32_t next[TWISTER];
    for (; count > 0; count--, out += TWISTER) {
        for (long k = 0; k < TWISTER - AHEAD; k++) next[k] = twist(key[k + AHEAD], key[k], key[k + 1]);
#pragma GCC ivdep
        for (long k = TWISTER - AHEAD; k < TWISTER - 1; k++) next[k] = twist(next[k - (TWISTER - AHEAD)], key[k], key[k + 1]);
        next[TWISTER - 1] = twist(next[AHEAD - 1], key[TWISTER - 1], next[0]);
        for (long k = 0; k < TWISTER; k++) {
            uint32_t y = key[k] = next[k];
            y ^= y >> 11;
            y ^= (y << 7) & 0x9D2C5680u;
            y ^= (y << 15) & 0xEFC60000u;
            out[k] = y ^ (y >> 18);
        }
    }
}

void fractions53(const uint32_t* words, long n, double* out) {
    parallel_range(n, 32768, [=](long i, long end) {
        for (; i < end; i++) out[i] = double(int64_t(uint64_t(words[2 * i] & 0x1FFFFF) << 32 | words[2 * i + 1])) * 0x1p-53;
    });
}

template <class T> void kept(const T* x, const bool* mask, T scale, long n, T* out) {
    parallel_range(n, 32768, [=](long i, long end) {
        for (; i < end; i++) out[i] = x[i] * T(mask[i]) * scale;
    });
}

}  // namespace

template <> RandomKernels<float> random_kernels() { return {box_muller, twisted, fractions53, kept<float>}; }
template <> RandomKernels<double> random_kernels() { return {nullptr, twisted, fractions53, kept<double>}; }

}  // namespace dovetail::ISA
