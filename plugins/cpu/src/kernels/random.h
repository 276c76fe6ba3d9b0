// What follows the draws of a Mersenne Twister, and the draws themselves, many at once.
#pragma once
#include <cstdint>

namespace dovetail {

constexpr long TWISTER = 624;  // words of a block

template <class T> struct RandomKernels {
    // In place, rows of sixteen uniform numbers to normal ones by Box and Muller: eight radii, then eight angles. Only for float.
    void (*box_muller)(T* rows, long count, float mean, float std);
    // The next `count` blocks of words; the key becomes that of the last one.
    void (*twisted)(uint32_t* key, long count, uint32_t* out);
    // Of n pairs, the high word first, the lower 53 bits as a number of [0, 1).
    void (*fractions53)(const uint32_t* words, long n, double* out);
    // x * scale where the mask is true; elsewhere x * 0.
    void (*kept)(const T* x, const bool* mask, T scale, long n, T* out);
};

}  // namespace dovetail
